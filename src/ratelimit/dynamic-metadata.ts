import type { DescriptorRequest, RateLimitRequest } from "./model.js";
import { unitOfNumber } from "./windows.js";

/**
 * RESPONSE_DYNAMIC_METADATA: the request as envoyproxy/ratelimit shows it to Envoy. `violations` are the
 * indexes of descriptors that are over a limit which only tells; `hasQuotaMode`: the config file has such a
 * limit for one of them.
 */
export function dynamicMetadata(
  request: RateLimitRequest,
  violations: readonly number[],
  hasQuotaMode: boolean,
): Readonly<Record<string, unknown>> {
  return {
    domain: request.domain,
    descriptors: request.descriptors.map(describe),
    ...(request.hitsAddend === 0 ? {} : { hitsAddend: request.hitsAddend }),
    ...(violations.length === 0 ? {} : { quotaModeViolations: violations }),
    quotaModeEnabled: hasQuotaMode,
  };
}

function describe(descriptor: DescriptorRequest): Readonly<Record<string, unknown>> {
  const { limit, hitsAddend } = descriptor;
  return {
    entries: descriptor.entries.map(({ key, value }) => `${key}=${value}`),
    ...(limit === undefined ? {} : { limit: limitText(limit) }),
    ...(hitsAddend === undefined ? {} : { hitsAddend: Number(hitsAddend) }),
  };
}

/** As protobuf's text format: fields that are 0 are left out. */
function limitText(limit: NonNullable<DescriptorRequest["limit"]>): string {
  const fields: string[] = [];
  if (limit.requestsPerUnit !== 0) {
    fields.push(`requests_per_unit:${limit.requestsPerUnit}`);
  }
  if (limit.unit !== 0) {
    fields.push(`unit:${unitOfNumber(limit.unit) ?? limit.unit}`);
  }
  return fields.join(" ");
}
