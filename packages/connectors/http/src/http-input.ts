import { NotEmptyText, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";

/** Credentials are given where they are used, or stand in a secret that is named. */
const SecretReference = z.strictObject({ use: NotEmptyText });

/** Further members are let through here and below: a secret may hold more than one use of it needs. */
export const BasicCredentials = z.object({ username: z.string(), password: z.string() });
export const BearerCredentials = z.object({ token: NotEmptyText });

const Oauth2Token = z.strictObject({ token: z.string(), type: z.string() });

/** The properties of `oauth2` in the workflow language; a secret for it holds the same. */
export const Oauth2Settings = z.object({
  authority: NotEmptyText,
  grant: z.string(),
  endpoints: z.looseObject({ token: z.string().default("/oauth2/token") }).default({ token: "/oauth2/token" }),
  client: z
    .strictObject({
      id: z.string().optional(),
      secret: z.string().optional(),
      assertion: z.string().optional(),
      authentication: z
        .enum(["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"])
        .default("client_secret_post"),
    })
    .optional(),
  request: z
    .looseObject({
      encoding: z.enum(["application/x-www-form-urlencoded", "application/json"]).default("application/x-www-form-urlencoded"),
    })
    .default({ encoding: "application/x-www-form-urlencoded" }),
  issuers: z.array(z.string()).optional(),
  scopes: z.array(z.string()).optional(),
  audiences: z.array(z.string()).optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  subject: Oauth2Token.optional(),
  actor: Oauth2Token.optional(),
});
export type Oauth2Settings = z.infer<typeof Oauth2Settings>;

/** The properties of `oidc`: as those of `oauth2`, but the authority itself says where its endpoints are. */
export const OidcSettings = Oauth2Settings.omit({ endpoints: true });
export type OidcSettings = z.infer<typeof OidcSettings>;

/**
 * An authentication policy with exactly one scheme; other members are ignored, as the language has it. A policy named in `use.authentications`
 * is put in its place before the call: the names belong to the document, which a connector does not see.
 */
export const Authentication = z
  .object({
    basic: z.union([SecretReference, BasicCredentials]).optional(),
    bearer: z.union([SecretReference, BearerCredentials]).optional(),
    oauth2: z.union([SecretReference, Oauth2Settings]).optional(),
    digest: z.union([SecretReference, BasicCredentials]).optional(),
    oidc: z.union([SecretReference, OidcSettings]).optional(),
  })
  .refine((policy) => Object.values(policy).filter((scheme) => scheme !== undefined).length === 1, "names exactly one scheme");
export type Authentication = z.infer<typeof Authentication>;

export const Endpoint = z.union([NotEmptyText, z.strictObject({ uri: NotEmptyText, authentication: Authentication.optional() })]);
export type Endpoint = z.infer<typeof Endpoint>;

/** Any JSON value; the engine has made sure that it is one. */
const JsonValue = z.custom<Json>((value) => value !== undefined);

const OutputForm = z.enum(["raw", "content", "response"]).default("content");
export type OutputForm = z.infer<typeof OutputForm>;

export const HttpInput = z.strictObject({
  method: z.string().regex(/^[A-Za-z]+$/, "is a method such as GET"),
  endpoint: Endpoint,
  headers: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
  query: z.record(z.string(), JsonValue).default({}),
  body: JsonValue.optional(),
  output: OutputForm,
  redirect: z.boolean().default(false),
});
export type HttpInput = z.infer<typeof HttpInput>;

export const OpenapiInput = z.strictObject({
  document: z.strictObject({ name: z.string().optional(), endpoint: Endpoint }),
  operationId: NotEmptyText,
  parameters: z.record(z.string(), JsonValue).default({}),
  authentication: Authentication.optional(),
  output: OutputForm,
  redirect: z.boolean().default(false),
});
export type OpenapiInput = z.infer<typeof OpenapiInput>;
