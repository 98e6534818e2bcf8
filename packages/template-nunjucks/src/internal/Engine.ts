/**
 * nunjucks as templates get it, in a worker of its own, where changing its runtime changes it for nobody else.
 *
 * What a template writes goes into JSON: so text is escaped for JSON unless `dump` has written it, and a value that is put
 * between quotes by hand cannot get out of them. Members are a value's own data, never what it inherits.
 */
import nunjucks from "nunjucks"
import { check } from "./Check.ts"
import { isForbidden, refusal } from "./Names.ts"

const { runtime } = nunjucks

runtime.memberLookup = (object, name) => {
  if (isForbidden(name)) throw new Error(refusal(name))
  if (object === null || object === undefined || !Object.hasOwn(Object(object), String(name))) return undefined
  const member = (object as Readonly<Record<string, unknown>>)[String(name)]
  return typeof member === "function" ? undefined : member
}

runtime.suppressValue = (value) => {
  if (value instanceof runtime.SafeString) return String(value)
  if (typeof value === "string") return JSON.stringify(value).slice(1, -1)
  if (typeof value === "number" || typeof value === "boolean") return String(value)
  throw new Error("a list or an object is written with the filter dump")
}

/** What is called or looked up says where it stands, so that a failure can name its line. */
const { prototype } = nunjucks.compiler.Compiler
for (const method of ["compileFilter", "compileLookupVal", "compileSymbol"] as const) {
  const compile = prototype[method]!
  prototype[method] = function (node, frame) {
    this._emit(`(lineno = ${node.lineno + 1}, colno = ${node.colno + 1}, `)
    compile.call(this, node, frame)
    this._emit(")")
  }
}

const dump = (value: unknown) => {
  const text = JSON.stringify(value instanceof runtime.SafeString ? String(value) : value)
  if (text === undefined) throw new Error("there is no such value to dump")
  return new runtime.SafeString(text)
}

const list = (value: unknown): ReadonlyArray<unknown> => {
  if (!Array.isArray(value)) throw new Error("expected a list")
  return value
}

const text = (value: unknown): string => {
  if (!["string", "number", "boolean"].includes(typeof value)) throw new Error("expected text")
  return String(value)
}

const filters: Readonly<Record<string, (value: unknown, ...args: ReadonlyArray<unknown>) => unknown>> = {
  dump,
  tojson: dump,
  default: (value, fallback) => value ?? fallback,
  first: (value) => list(value)[0],
  last: (value) => list(value).at(-1),
  length: (value) => (Array.isArray(value) ? value.length : text(value).length),
  join: (value, separator = "") => list(value).map(text).join(text(separator)),
  lower: (value) => text(value).toLowerCase(),
  upper: (value) => text(value).toUpperCase(),
  trim: (value) => text(value).trim(),
  replace: (value, from, to) => text(value).replaceAll(text(from), () => text(to))
}

const tests = ["defined", "undefined", "null", "number", "string", "odd", "even", "divisibleby", "equalto", "sameas"]

const environment = new nunjucks.Environment([], { autoescape: true, throwOnUndefined: true })
environment.filters = Object.assign(Object.create(null), filters)
environment.globals = Object.create(null)
environment.tests = Object.assign(
  Object.create(null),
  Object.fromEntries(tests.map((name) => [name, environment.tests[name]]))
)

/** `file:line:column: reason`, from whatever nunjucks threw. */
const inWords = (name: string, error: unknown): string => {
  const { colno, lineno, message } = error as {
    readonly message: string
    readonly lineno?: number
    readonly colno?: number
  }
  const [, line, column, reason] = /\[Line (\d+), Column (\d+)\]\s*([^]*)/.exec(message) ?? [
    "",
    lineno ?? 1,
    colno ?? 1,
    message
  ]
  const why = String(reason).replace(/^(Template render error: )?(\([^\n]*\)\s*)?([A-Za-z]*Error: )?/, "")
  return `${name}:${line}:${column}: ${why}`
}

/** A compiled template. */
export interface Engine {
  /** Renders, or says in words why not. */
  readonly render: (model: object) => { readonly text: string } | { readonly failure: string }
}

/** Checks and compiles a template, given the names of the model; or says in words, line by line, why not. */
export const compile = (
  name: string,
  source: string,
  names: ReadonlyArray<string>
): Engine | { readonly failure: string } => {
  try {
    const root = nunjucks.parser.parse(source, [], environment.opts)
    const known = { names: new Set(names), filters: new Set(Object.keys(filters)), tests: new Set(tests) }
    const findings = check(root, known)
    if (findings.length > 0)
      return { failure: findings.map(({ column, line, reason }) => `${name}:${line}:${column}: ${reason}`).join("\n") }
    const template = new nunjucks.Template(source, environment, name, true)
    return {
      render: (model) => {
        try {
          return { text: template.render(model) }
        } catch (error) {
          return { failure: inWords(name, error) }
        }
      }
    }
  } catch (error) {
    return { failure: inWords(name, error) }
  }
}
