/**
 * Rows as CSV: RFC 4180, UTF-8, CRLF. A cell is what a JSON field is: null is empty, a list or an object is its JSON.
 *
 * Spreadsheets take text that begins with certain characters for a formula. Such text gets an apostrophe in front; text
 * that has one already gets another, so that taking one away always gives the text back. Numbers stay as they are.
 */
import type { Schema } from "effect"

const formula = /^[=+\-@\t\r\n']/

const number = /^-?\d+$/

const quoted = /[",\r\n\t']/

const text = (value: Schema.Json | undefined): string => {
  if (value === null || value === undefined) return ""
  if (typeof value === "string") return formula.test(value) && !number.test(value) ? `'${value}` : value
  return typeof value === "object" ? JSON.stringify(value) : String(value)
}

/** One value as a cell. */
export const cell = (value: Schema.Json | undefined): string => {
  const plain = text(value)
  return quoted.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain
}

/** One row, with its line end. */
export const row = (values: ReadonlyArray<Schema.Json | undefined>): string => `${values.map(cell).join(",")}\r\n`
