/**
 * The matchers that Envoy's APIs share, as plain JSON data in proto3 JSON spelling. Exactly one member of
 * each union is set.
 */

/** `envoy.type.matcher.v3.StringMatcher`. Texts are UTF-8 as in the YAML, compared as bytes. */
export type StringMatcher = StringPattern & { readonly ignoreCase?: boolean };

/** How a text is compared: exactly one of these. */
export type StringPattern =
  | { readonly exact: string }
  | { readonly prefix: string }
  | { readonly suffix: string }
  | { readonly contains: string }
  | { readonly safeRegex: RegexMatcher };

/** RE2 syntax, matches the whole value. */
export interface RegexMatcher {
  readonly regex: string;
}

/** `envoy.config.route.v3.HeaderMatcher`; without a specifier it means: present. */
export interface HeaderMatcher {
  readonly name: string;
  readonly stringMatch?: StringMatcher;
  readonly presentMatch?: boolean;
  readonly rangeMatch?: { readonly start: number; readonly end: number };
  readonly invertMatch?: boolean;
  readonly treatMissingHeaderAsEmpty?: boolean;
}

/** `envoy.type.matcher.v3.PathMatcher`. */
export interface PathMatcher {
  readonly path: StringMatcher;
}

/** The only path matcher that Envoy's RBAC has. */
export const uriTemplateType =
  "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig";

/** The `uri_template` extension: `*` is one segment, `**` any rest. */
export interface UriTemplate {
  readonly name: string;
  readonly typedConfig: {
    readonly "@type": typeof uriTemplateType;
    readonly pathTemplate: string;
  };
}

/** `envoy.config.core.v3.CidrRange`. */
export interface CidrRange {
  readonly addressPrefix: string;
  readonly prefixLen: number;
}

/** From `start`, included, to `end`, excluded. */
export interface Int32Range {
  readonly start: number;
  readonly end: number;
}

/** `envoy.type.matcher.v3.MetadataMatcher`. */
export interface MetadataMatcher {
  readonly filter: string;
  readonly path: readonly { readonly key: string }[];
  readonly value: ValueMatcher;
  readonly invert?: boolean;
}

/** `envoy.type.matcher.v3.ValueMatcher`. */
export type ValueMatcher =
  | { readonly nullMatch: Readonly<Record<string, never>> }
  | { readonly doubleMatch: { readonly exact: number } | { readonly range: Int32Range } }
  | { readonly stringMatch: StringMatcher }
  | { readonly boolMatch: boolean }
  | { readonly presentMatch: boolean }
  | { readonly listMatch: { readonly oneOf: ValueMatcher } }
  | { readonly orMatch: { readonly valueMatchers: readonly ValueMatcher[] } };
