export { type Clash, findClashes } from "./clashes.js";
export { checkRequest, createRateLimits, type RateLimitPorts, type RateLimits } from "./decide.js";
export { type InspectedDescriptor, inspectDescriptor } from "./inspect.js";
export { createLocalCache, type LocalCache } from "./local-cache.js";
export type {
  DescriptorConfig,
  DescriptorRequest,
  DescriptorStatus,
  Limit,
  RateLimitAnswer,
  RateLimitFile,
  RateLimitObserver,
  RateLimitRequest,
  RateLimitSettings,
  Unit,
} from "./model.js";
export { parseRateLimitFile } from "./parse-file.js";
export { RateLimitError, type RateLimitErrorKind } from "./rate-limit-error.js";
export { defaultRateLimitSettings, readRateLimitSettings } from "./settings.js";
