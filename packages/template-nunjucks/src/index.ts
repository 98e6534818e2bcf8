export * as NunjucksTemplate from "./NunjucksTemplate.ts"
