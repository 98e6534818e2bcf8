/**
 * Reads a template before it is compiled and says what it may not do. What it may is a list: output, conditions, loops
 * over what it is given, variables, operators, filters and tests that are known. There are no calls, so nothing recurs; no
 * other templates; and no name that leads to code, spelled out or put together.
 *
 * nunjucks has no sandbox, and some names go into the code it makes as they are written: so each must be an identifier.
 */
import type { Node } from "nunjucks"
import { isForbidden, refusal } from "./Names.ts"

/** What is wrong, and where; lines and columns count from 1. */
export interface Finding {
  readonly line: number
  readonly column: number
  readonly reason: string
}

export interface Known {
  /** Names of the model. */
  readonly names: ReadonlySet<string>
  readonly filters: ReadonlySet<string>
  readonly tests: ReadonlySet<string>
}

const plain = new Set(
  (
    "Root NodeList Output TemplateData Group Array Dict If InlineIf Capture LookupVal " +
    "Compare CompareOperand And Or Not In Neg Pos Add Concat Sub Mul Div FloorDiv Mod Pow"
  ).split(" ")
)

const instead: Readonly<Record<string, string>> = {
  FunCall: "calls are not allowed; use filters",
  Macro: "macros are not allowed",
  Caller: "macros are not allowed",
  Include: "include is not allowed: a template is one file",
  Import: "import is not allowed: a template is one file",
  FromImport: "import is not allowed: a template is one file",
  Extends: "extends is not allowed: a template is one file",
  Block: "blocks are not allowed: a template is one file",
  KeywordArgs: "named arguments are not allowed"
}

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && "typename" in value

const childrenOf = (node: Node): ReadonlyArray<Node> =>
  node.fields.flatMap((field) => {
    const value = node[field]
    return (Array.isArray(value) ? value : [value]).filter(isNode)
  })

/** The text of an expression that is nothing but text; undefined for any other. */
const textOf = (node: Node): string | undefined => {
  const only = (inner: unknown) => (isNode(inner) ? textOf(inner) : undefined)
  switch (node.typename) {
    case "Literal":
      return typeof node["value"] === "string" || typeof node["value"] === "number" ? String(node["value"]) : undefined
    case "Group":
      return node.children?.length === 1 ? only(node.children[0]) : undefined
    case "Add":
    case "Concat": {
      const [left, right] = [only(node["left"]), only(node["right"])]
      return left === undefined || right === undefined ? undefined : left + right
    }
    default:
      return undefined
  }
}

/** Everything the template may not do, in its order. */
export const check = (root: Node, { filters, names, tests }: Known): ReadonlyArray<Finding> => {
  const findings: Array<Finding> = []
  const declared = new Set(names).add("loop")

  const say = ({ colno, lineno }: Node, reason: string) =>
    void findings.push({ line: lineno + 1, column: colno + 1, reason })

  /** What every object inherits is no name for a variable: where none is set, the inherited one would be found. */
  const declare = (node: Node): void => {
    if (node.typename === "Array") return node.children?.forEach(declare)
    const name = String(node["value"])
    if (isForbidden(name)) say(node, refusal(name))
    else if (node.typename !== "Symbol" || !identifier.test(name) || name in Object.prototype)
      say(node, "expected a name that is not taken")
    else declared.add(name)
  }

  const collect = (node: Node) => {
    const targets = node.typename === "For" ? [node["name"]] : node.typename === "Set" ? node["targets"] : []
    for (const target of targets as ReadonlyArray<Node>) declare(target)
    childrenOf(node).forEach(collect)
  }

  const known = (node: Node, kind: string, which: ReadonlySet<string>) => {
    const name = String(node["value"])
    if (node.typename !== "Symbol" || !which.has(name))
      say(node, `there is no ${kind} ${JSON.stringify(name)}; there are: ${[...which].join(", ")}`)
  }

  const walkAll = (...nodes: ReadonlyArray<unknown>) => nodes.filter(isNode).forEach(walk)

  const walk = (node: Node): void => {
    const text = textOf(node)
    if (text !== undefined && isForbidden(text)) return say(node, refusal(text))
    switch (node.typename) {
      case "Literal":
        return node["value"] instanceof RegExp ? say(node, "regular expressions are not allowed") : undefined
      case "Symbol": {
        const name = String(node["value"])
        if (isForbidden(name)) return say(node, refusal(name))
        return declared.has(name)
          ? undefined
          : say(node, `there is no ${JSON.stringify(name)}; the model has: ${[...names].join(", ")}`)
      }
      case "For":
        return walkAll(node["arr"], node["body"], node["else_"])
      case "Set":
        return walkAll(node["value"], node["body"])
      case "Pair": {
        const key = node["key"] as Node
        if (isForbidden(key["value"])) say(key, refusal(key["value"]))
        return walkAll(node["value"])
      }
      case "Filter":
        known(node["name"] as Node, "filter", filters)
        return walkAll(...((node["args"] as Node).children ?? []))
      case "Is": {
        const right = node["right"] as Node
        const isNone = right.typename === "Literal" && right["value"] === null
        if (!isNone) known(right.typename === "FunCall" ? (right["name"] as Node) : right, "test", tests)
        walkAll(node["left"])
        return right.typename === "FunCall" ? walkAll(...((right["args"] as Node).children ?? [])) : undefined
      }
      default:
        if (!plain.has(node.typename)) return say(node, instead[node.typename] ?? `${node.typename} is not allowed`)
        return childrenOf(node).forEach(walk)
    }
  }

  collect(root)
  walk(root)
  return findings
}
