/** The parts of nunjucks that are used here, and that its own types leave out: the parser, the compiler, the runtime. */
declare module "nunjucks" {
  /** A node of a parsed template; which other fields it has depends on its type. Lines and columns count from 0. */
  export interface Node {
    readonly typename: string
    readonly lineno: number
    readonly colno: number
    readonly fields: ReadonlyArray<string>
    readonly children?: ReadonlyArray<Node>
    readonly [field: string]: unknown
  }
  interface Compiler {
    _emit(code: string): void
    [method: `compile${string}`]: (node: Node, frame: unknown) => void
  }
  interface Environment {
    opts: object
    filters: Record<string, unknown>
    globals: Record<string, unknown>
    tests: Record<string, unknown>
  }
  interface Template {
    render(model: object): string
  }
  interface Options {
    readonly autoescape: boolean
    readonly throwOnUndefined: boolean
  }
  const nunjucks: {
    readonly Environment: new (loaders: ReadonlyArray<never>, options: Options) => Environment
    readonly Template: new (source: string, environment: Environment, name: string, eager: boolean) => Template
    readonly parser: { readonly parse: (source: string, extensions: ReadonlyArray<never>, options: object) => Node }
    readonly compiler: { readonly Compiler: { readonly prototype: Compiler } }
    readonly runtime: {
      readonly SafeString: new (text: string) => object
      memberLookup: (object: unknown, name: unknown) => unknown
      suppressValue: (value: unknown) => string
    }
  }
  export default nunjucks
}
