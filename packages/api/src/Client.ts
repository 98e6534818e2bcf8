/**
 * Typed clients made of the contract. They need an `HttpClient`: `FetchHttpClient.layer`, or one that speaks over the
 * server's local socket. Problems come back as failures, instances of the classes in `Problem`.
 */
import { Context, Effect, Layer, type Redacted } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { NodeState } from "@vpnmgr/core"
import { actForHeader, protocolHeader } from "./Access.ts"
import { Api } from "./Api.ts"

export interface Options {
  /** Such as `https://vpn.example.com`. */
  readonly baseUrl: string
  /** A person's token; null over the local socket, and to sign in. */
  readonly token: Redacted.Redacted | null
  /** The id of the operator a superuser asks for. */
  readonly actFor?: string
}

/** Makes a client of the whole contract. */
export const make = ({ actFor, baseUrl, token }: Options) =>
  HttpApiClient.make(Api, {
    baseUrl,
    transformClient: HttpClient.mapRequest((request) => {
      const named = actFor === undefined ? request : HttpClientRequest.setHeader(request, actForHeader, actFor)
      return token === null ? named : HttpClientRequest.bearerToken(named, token)
    })
  })

/** The client as a service, for programs that ask from many places. */
export class Client extends Context.Service<Client, HttpApiClient.ForApi<typeof Api>>()("@vpnmgr/api/Client") {
  static readonly layer = (options: Options): Layer.Layer<Client, never, HttpClient.HttpClient> =>
    Layer.effect(Client, make(options))
}

export interface NodeOptions {
  readonly baseUrl: string
  /** The node's key. */
  readonly key: Redacted.Redacted
}

/** Makes an agent's client: the node protocol alone, naming this build's protocol version. */
export const makeNode = ({ baseUrl, key }: NodeOptions) =>
  Effect.flatMap(HttpClient.HttpClient, (client) =>
    HttpApiClient.group(Api, {
      group: "node",
      baseUrl,
      httpClient: HttpClient.mapRequest(client, (request) =>
        HttpClientRequest.setHeader(
          HttpClientRequest.bearerToken(request, key),
          protocolHeader,
          NodeState.protocolVersion
        )
      )
    })
  )
