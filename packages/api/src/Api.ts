/** The whole contract as one value: handlers, clients and the OpenAPI document are made of it. */
import { HttpApi, OpenApi } from "effect/http-api"
import { Problems } from "./Access.ts"
import * as Document from "./Document.ts"
import { Groups } from "./Groups.ts"
import { Health } from "./Health.ts"
import { Inbounds } from "./Inbounds.ts"
import { NodeProtocol } from "./NodeProtocol.ts"
import { Nodes } from "./Nodes.ts"
import { Audit, Quarantine, Spares } from "./Records.ts"
import { AccessLog, ReportConflicts, TrafficReports } from "./Reports.ts"
import { Session, Setup } from "./Session.ts"
import { Sessions } from "./Sessions.ts"
import { Subscriptions } from "./Subscriptions.ts"
import { Users } from "./Users.ts"

const description = [
  "Names are snake_case. Instants are RFC 3339 in UTC. Byte counts are JSON numbers up to 2^53 - 1 and decimal strings",
  "above; both are accepted. Errors are application/problem+json with a stable code. Lists are {items, next_cursor}."
].join(" ")

/** A field nobody knows is a mistake, and answered as one. Agents of another minor version may name new ones. */
const strict = { onExcessProperty: "error" } as const

export class Api extends HttpApi.make("vpnmgr")
  .add(Setup)
  .add(Session)
  .add(Sessions)
  .add(Users)
  .add(Groups)
  .add(Subscriptions)
  .add(Nodes)
  .add(Inbounds)
  .add(Spares)
  .add(TrafficReports)
  .add(AccessLog)
  .add(Audit)
  .add(Quarantine)
  .add(ReportConflicts)
  .add(NodeProtocol.annotate(HttpApi.PayloadParseOptions, {}).annotate(HttpApi.QueryParseOptions, {}))
  .add(Health)
  .middleware(Problems)
  .annotate(HttpApi.PayloadParseOptions, strict)
  .annotate(HttpApi.QueryParseOptions, strict)
  .annotateMerge(
    OpenApi.annotations({ title: "vpnmgr", version: "1.0.0", description, transform: Document.complete })
  ) {}
