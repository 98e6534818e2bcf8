/** Every operation of the contract, by reflection: nothing can be added to it that the table of permissions misses. */
import { Api } from "@vpnmgr/api"
import { HttpApi, OpenApi } from "effect/http-api"

export interface Operation {
  /** `subscriptions.get` */
  readonly name: string
  readonly method: string
  /** `/api/v1/subscriptions/:id` */
  readonly path: string
  /** The noun of the path: `subscriptions`. */
  readonly noun: string
  /** True when it is about one thing, named in its path. */
  readonly hasId: boolean
  readonly hasBody: boolean
  /** The names its query knows. */
  readonly query: ReadonlySet<string>
}

interface Documented {
  readonly parameters?: ReadonlyArray<{ readonly name: string; readonly in: string }>
  readonly requestBody?: unknown
}

const documents = OpenApi.fromApi(Api).paths as unknown as Record<string, Record<string, Documented>>

const templated = (path: string) => path.replaceAll(/:(\w+)/g, "{$1}")

/** All of them, in the contract's order. */
export const operations: ReadonlyArray<Operation> = (() => {
  const found: Array<Operation> = []
  HttpApi.reflect(Api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint: { identifier, method, path }, group }) => {
      const documented = documents[templated(path)]?.[method.toLowerCase()] ?? {}
      const inQuery = (documented.parameters ?? []).filter((parameter) => parameter.in === "query")
      found.push({
        name: `${group.identifier}.${identifier}`,
        method,
        path,
        noun: path.split("/")[3] ?? "",
        hasId: path.includes("/:id"),
        hasBody: documented.requestBody !== undefined,
        query: new Set(inQuery.map(({ name }) => name))
      })
    }
  })
  return found
})()
