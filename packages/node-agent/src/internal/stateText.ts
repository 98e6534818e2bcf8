/**
 * A node state as JSON text. A difference of one user must not cost the encoding of ten thousand: what was encoded
 * once is remembered for as long as the item itself lives.
 */
import { Inbound, NodeState } from "@vpnmgr/core"
import { Schema } from "effect"

const remembered = <A extends object>(encode: (item: A) => unknown): ((item: A) => string) => {
  const texts = new WeakMap<A, string>()
  return (item) => {
    const text = texts.get(item) ?? JSON.stringify(encode(item))
    texts.set(item, text)
    return text
  }
}

const inbound = remembered(Schema.encodeSync(Inbound.NodeInbound))
const credential = remembered(Schema.encodeSync(NodeState.NodeCredential))
const grant = remembered(Schema.encodeSync(NodeState.Grant))
const shell = Schema.encodeSync(NodeState.NodeState)
const codec = Schema.fromJsonString(NodeState.NodeState)

/** Writes the wire form of a whole state. */
export const write = (state: NodeState.NodeState): string => {
  const {
    buckets: _b,
    credentials: _c,
    inbounds: _i,
    ...rest
  } = shell({ ...state, inbounds: [], credentials: [], buckets: [] })
  const lists = [
    `"inbounds":[${state.inbounds.map(inbound).join()}]`,
    `"credentials":[${state.credentials.map(credential).join()}]`,
    `"buckets":[${state.buckets.map(grant).join()}]`
  ]
  return `${JSON.stringify(rest).slice(0, -1)},${lists.join()}}`
}

/** Reads what `write` wrote. */
export const read = Schema.decodeUnknownEffect(codec)
