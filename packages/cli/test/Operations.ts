/**
 * Which command asks for which operation of the contract. `Commands.test.ts` holds it against the contract, against the
 * help and against what a server counted; the guide's table is made of it (`CommandTable.ts`).
 */
import { Access, Api } from "@vpnmgr/api"
import { HttpApi } from "effect/http-api"

/** What the contract says of an operation: its route, and which headers it takes. */
interface Operation {
  readonly route: string
  readonly isVersioned: boolean
  readonly takesKey: boolean
}

/** Every operation of the contract, as `group.endpoint`. */
export const operations: ReadonlyMap<string, Operation> = (() => {
  const found = new Map<string, Operation>()
  HttpApi.reflect(Api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint: { identifier, method, path }, errors, group }) => {
      found.set(`${group.identifier}.${identifier}`, {
        route: `${method} ${path}`,
        isVersioned: errors.has(412),
        takesKey: Access.takesKey(method, path)
      })
    }
  })
  return found
})()

/** The command for an operation; the first that comes to mind where there are several. */
export const commands: Readonly<Record<string, string>> = {
  "setup.create": "setup",
  "session.signIn": "login",
  "session.signOut": "logout",
  "session.me": "status",
  "session.renew": "session renew",
  "session.changePassword": "password",
  "sessions.list": "session list",
  "sessions.revoke": "session revoke",
  "sessions.revokeAll": "session revoke-all",
  "health.ready": "status",
  "users.create": "user create",
  "users.list": "user list",
  "users.get": "user show",
  "users.usage": "user usage",
  "users.change": "user change",
  "users.remove": "user delete",
  "users.setGroups": "user set-groups",
  "users.reset": "user reset",
  "users.resetPassword": "admin reset-password",
  "groups.create": "group create",
  "groups.list": "group list",
  "groups.get": "group show",
  "groups.change": "group change",
  "groups.remove": "group delete",
  "subscriptions.create": "subscription create",
  "subscriptions.list": "subscription list",
  "subscriptions.export": "subscription export",
  "subscriptions.get": "subscription show",
  "subscriptions.change": "subscription change",
  "subscriptions.remove": "subscription delete",
  "subscriptions.extend": "subscription extend",
  "subscriptions.link": "subscription link-inbound",
  "subscriptions.unlink": "subscription unlink-inbound",
  "subscriptions.ofInbound": "inbound subscriptions",
  "subscriptions.linkInbound": "inbound link-subscriptions",
  "subscriptions.suspend": "subscription suspend",
  "subscriptions.resume": "subscription resume",
  "subscriptions.reset": "subscription reset",
  "subscriptions.rotate": "subscription rotate",
  "subscriptions.setInbounds": "subscription set-inbounds",
  "subscriptions.config": "config render",
  "subscriptions.usage": "subscription usage",
  "nodes.create": "node create",
  "nodes.list": "node list",
  "nodes.get": "node show",
  "nodes.change": "node change",
  "nodes.remove": "node delete",
  "nodes.createToken": "token create",
  "nodes.listTokens": "token list",
  "nodes.getToken": "token show",
  "nodes.revokeToken": "token revoke",
  "inbounds.create": "inbound create shadowsocks",
  "inbounds.list": "inbound list",
  "inbounds.get": "inbound show",
  "inbounds.change": "inbound change",
  "inbounds.rotateKeys": "inbound rotate-keys",
  "inbounds.remove": "inbound delete",
  "spares.get": "spares show",
  "spares.refill": "spares refill",
  "audit.list": "audit list",
  "audit.export": "audit export",
  "audit.seals": "audit seals",
  "audit.verify": "audit verify",
  "trafficReports.list": "traffic-report list",
  "trafficReports.export": "traffic-report export",
  "accessLog.list": "access-log list",
  "accessLog.export": "access-log export",
  "quarantine.list": "quarantine list",
  "quarantine.export": "quarantine export",
  "quarantine.get": "quarantine show",
  "quarantine.apply": "quarantine apply",
  "quarantine.dismiss": "quarantine dismiss",
  "reportConflicts.list": "report-conflict list",
  "reportConflicts.get": "report-conflict show"
}

/** Operations without a command, and why. */
export const without: Readonly<Record<string, string>> = {
  "node.state": "spoken by agents: `vpnmgr agent`",
  "node.applied": "spoken by agents: `vpnmgr agent`",
  "node.reports": "spoken by agents: `vpnmgr agent`",
  "health.live": "for supervisors, which ask over HTTP; `vpnmgr status` asks whether the server is ready"
}
