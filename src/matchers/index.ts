export { compileCidr, parseCidr } from "./cidr.js";
export { compileHeader } from "./header.js";
export { all, always, any, never, not, type Predicate } from "./logic.js";
export type {
  CidrRange,
  HeaderMatcher,
  Int32Range,
  MetadataMatcher,
  PathMatcher,
  RegexMatcher,
  StringMatcher,
  StringPattern,
  UriTemplate,
  ValueMatcher,
} from "./model.js";
export { uriTemplateType } from "./model.js";
export { compilePathTemplate, maxTemplateLength, templateLiteral } from "./path-template.js";
export { compileRegex } from "./regex.js";
export { compileString } from "./string.js";
export { compileMetadata } from "./value.js";
