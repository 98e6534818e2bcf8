/** Groups: limits granted to their users (`/api/v1/groups`). For superusers. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Id, Limits, SubscriptionList, User, Wire } from "@vpnmgr/core"
import { SignedIn } from "./Access.ts"
import { describe } from "./Operation.ts"
import * as Page from "./Page.ts"
import * as Problem from "./Problem.ts"
import * as Version from "./Version.ts"

const { name } = User.Group.to.fields
const { maxTraffic, maxSpeed, trafficResetPeriod } = Limits.limitFields

/** A limit that is absent is null: no restriction. */
export const NewGroup = Wire.struct({
  name,
  maxTraffic: Schema.optionalKey(maxTraffic),
  maxSpeed: Schema.optionalKey(maxSpeed),
  trafficResetPeriod: Schema.optionalKey(trafficResetPeriod)
})

/** What is absent stays; null lifts the restriction. */
export const GroupPatch = Wire.struct({
  name: Schema.optionalKey(name),
  maxTraffic: Schema.optionalKey(maxTraffic),
  maxSpeed: Schema.optionalKey(maxSpeed),
  trafficResetPeriod: Schema.optionalKey(trafficResetPeriod)
})

/** What a deletion did to the users who were in the group. */
export const Removal = Wire.struct({ users: Wire.Int4, unrestricted: Wire.Int4, overLimit: Wire.Int4 })

const params = { id: Id.Uuid }
const units =
  "max_traffic in bytes, max_speed in bit/s, traffic_reset_period as ISO 8601 duration; null = no restriction."

export class Groups extends HttpApiGroup.make("groups")
  .add(
    HttpApiEndpoint.post("create", "/", {
      payload: NewGroup,
      success: Version.of(User.Group.pipe(HttpApiSchema.status(201))),
      error: Problem.changing
    }).annotateMerge(describe("Create a group", units)),
    HttpApiEndpoint.get("list", "/", {
      query: {
        ...Page.query,
        search: Schema.optional(
          SubscriptionList.Search.annotate({ description: "a part of the name, whatever its case" })
        )
      },
      success: Page.of(User.Group),
      error: Problem.reading
    }).annotateMerge(describe("List groups", "By id, ascending.")),
    HttpApiEndpoint.get("get", "/:id", {
      params,
      success: Version.of(User.Group),
      error: Problem.reading
    }).annotateMerge(describe("Get a group", units)),
    HttpApiEndpoint.patch("change", "/:id", {
      params,
      payload: GroupPatch,
      success: Version.of(User.Group),
      error: Problem.editing
    }).annotateMerge(
      describe("Change a group", `What is absent stays. ${units} The users' allowances follow at once.`)
    ),
    HttpApiEndpoint.delete("remove", "/:id", { params, success: Removal, error: Problem.editing }).annotateMerge(
      describe(
        "Delete a group",
        "Its users lose what it granted, at once. Answers how many there were, how many of them nothing restricts now because they are in no other group, and how many are over their limit now and were not before."
      )
    )
  )
  .middleware(SignedIn)
  .prefix("/api/v1/groups")
  .annotateMerge(
    describe("Groups", "Sets of limits granted to users; of several groups the greatest value per field holds.")
  ) {}
