import { codes, show } from "../diagnostics/index.js";
import { maxTemplateLength, templateLiteral } from "../matchers/index.js";
import type { Problem } from "./validate-values.js";
import { isPathTemplate, uriTemplate } from "./values.js";

/**
 * What is wrong with a value of `paths` or `notPaths`. Braces are only allowed as whole segments `{*}` and
 * `{**}`, with nothing templated behind `{**}`; beside a template every segment must be a literal that
 * Envoy's `uri_template` takes.
 */
export function checkPath(value: string): Problem | undefined {
  if (!/[{}]/.test(value)) return undefined;
  const template = isPathTemplate(value);
  let rest = false;
  for (const segment of value.replace(/^\/+|\/+$/g, "").split("/")) {
    if (segment === "{*}" || segment === "{**}") {
      if (rest) return invalid(value, `has ${show(segment)} behind \`{**}\`, expected no template behind it`);
      rest = segment === "{**}";
    } else if (/[{}]/.test(segment)) {
      return invalid(
        value,
        `has braces in ${show(segment)}, expected \`{*}\` or \`{**}\` as a whole segment`,
      );
    } else if (template && !templateLiteral.test(segment)) {
      const what = segment === "" ? "an empty segment" : `segment ${show(segment)}`;
      return invalid(
        value,
        `has ${what}, expected only letters, digits and -._~%!$&'()+,;:@= beside a template`,
      );
    }
  }
  return template ? checkEnvoy(value) : undefined;
}

/** What Istio lets through and at which Envoy ends while it loads. */
function checkEnvoy(value: string): Problem | undefined {
  if (!value.startsWith("/")) return fatal(value, "must start with `/`");
  if (value.startsWith("//") || value.endsWith("//")) return fatal(value, "must not start or end with `//`");
  const { length } = uriTemplate(value).typedConfig.pathTemplate;
  if (length <= maxTemplateLength) return undefined;
  return fatal(value, `is ${length} characters long, expected at most ${maxTemplateLength}`);
}

function invalid(value: string, what: string): Problem {
  return { code: codes.invalidValue, message: `path ${show(value)} ${what}` };
}

function fatal(value: string, what: string): Problem {
  return { code: codes.envoyRefuses, message: `path template ${show(value)} ${what}` };
}
