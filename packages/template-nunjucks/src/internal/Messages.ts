/** What passes between the template's worker and the process it serves. */

/** What the worker is started with. */
export interface Source {
  readonly name: string
  readonly text: string
  /** Names of the model. */
  readonly names: ReadonlyArray<string>
}

/** What the worker says: that it is ready, what came of a model, or why not. */
export type Answer = { readonly text: string } | { readonly failure: string }
