export * as SingBoxPlane from "./SingBoxPlane.ts"
