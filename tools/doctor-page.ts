import { type Code, codes } from "../src/diagnostics/index.js";
import { fixOf } from "../src/doctor/index.js";

/** Codes up to and with the last of each chapter. */
const chapters: readonly (readonly [last: string, title: string])[] = [
  ["GH1219", "Filters that decide, their order, and ways around them"],
  ["GH1220", "Settings of routes"],
  ["GH1249", "ext_proc"],
  ["GH1269", "The connection manager"],
  ["GH1273", "Rate limits"],
  ["GH1279", "Access logs"],
  ["GH1289", "The cluster that is asked"],
  ["GH1299", "The rest"],
];

/** The text of `docs/doctor.md`. */
export function renderDoctorPage(): string {
  const all: readonly Code[] = Object.values(codes)
    .filter(({ code }: Code) => code.startsWith("GH12"))
    .sort((a, b) => (a.code < b.code ? -1 : 1));
  let after = "";
  const parts = chapters.map(([last, title]) => {
    const own = all.filter(({ code }) => code > after && code <= last);
    after = last;
    return [`## ${title}\n`, ...own.map(renderCode)].join("\n");
  });
  return `${intro}\n${parts.join("\n")}`;
}

function renderCode(code: Code): string {
  return `### ${code.code}: ${code.title}\n\n*${code.severity}*. ${code.help}\n\n\`\`\`yaml\n${fixOf(code)}\n\`\`\`\n`;
}

const intro = `# gatehouse doctor

<!-- Generated from tools/doctor-page.ts and src/diagnostics/codes-doctor*.ts by \`npm run docs\`. Do not edit. -->

Policy acts only where Envoy asks for it, and only on what Envoy shows. \`gatehouse doctor\` reads a configuration of Envoy
and says what in it would undo policy, or lead around it:

\`\`\`console
$ gatehouse doctor envoy.yaml
envoy.yaml:33: error GH1250 paths are not normalised, expected \`normalize_path: true\`
    normalize_path: true
envoy.yaml:61: warning GH1207 \`envoy.filters.http.ext_authz\` joins header lines, expected \`encode_raw_headers: true\`
    encode_raw_headers: true
1 errors, 1 warnings
\`\`\`

The line is that of the field, or of the message that lacks it; what is said of several places stands once, with the lines
of the others. Indented below the first finding of a code stands how it should be. An **error** undoes policy or lets
something past it; a **warning** does so under some circumstances, or loses the record of it.

| argument | meaning |
|---|---|
| \`FILES\` | bootstraps (YAML or JSON, snake_case or lowerCamel), or what \`/config_dump\` of Envoy's admin interface prints; \`-\` is standard input |
| \`--config PATH\` | your policies, may be repeated: what none of them needs is no finding (addresses of peers, bodies, hidden headers), and \`Mesh.spec.xff\`, \`trustEnvoyJwt\` and the lengths of bodies are held against Envoy. BodyPolicies in force want ext_proc on each listener that decides (GH1248) |
| \`--strict\` | warnings end with exit code 1 too |
| \`--output json\` | a list of {\`code\`, \`severity\`, \`file\`, \`line\`, \`path\`, \`message\`, \`fix\`} |

Exit codes: 0 fine, 1 there are errors, 2 wrong usage. Where listeners or routes come from a control plane, only a running
Envoy knows them:

\`\`\`console
$ curl -s 'http://127.0.0.1:9901/config_dump?include_eds' | gatehouse doctor -
\`\`\`

A file is read as Envoy 1.40 reads it (measured): \`failure_mode_allow: "yes"\` is true, as are \`"t"\`, \`"y"\` and \`"1"\` in any
case; \`skip\` and \`"2"\` are the mode SKIP; of a key that stands twice the last counts, which is GH1292.

Filters of ext_authz, ext_proc and the rate limit service are looked at whichever server they ask, over all listeners, filter
chains, virtual hosts and routes. The bootstraps in [envoy/](../envoy) have no errors. What the doctor cannot see: who can
reach the upstream without Envoy, what Lua or wasm does, upstream filters of clusters, and what runtime keys from files or a
control plane switch. A dump shows context extensions as \`[redacted]\`, so that GH1255 needs the bootstrap.
`;
