import { type Code, codes } from "../src/diagnostics/index.js";

const chapters: readonly (readonly [prefix: string, title: string])[] = [
  ["GH00", "Files and documents"],
  ["GH01", "Fields"],
  ["GH02", "Policies"],
  ["GH03", "The mesh"],
  ["GH04", "Envoy RBAC"],
  ["GH05", "Legacy kinds"],
  ["GH06", "Rego"],
  ["GH07", "Quotas and expressions"],
  ["GH08", "Rate limit config files"],
  ["GH09", "Telemetry and metrics"],
  ["GH10", "Logs, sinks and traces"],
  ["GH11", "BodyPolicy"],
  ["GH12", "Configurations of Envoy (gatehouse doctor)"],
];

/** The text of `docs/diagnostics.md`. Throws when a code belongs to no chapter or stands twice. */
export function renderDiagnosticsPage(): string {
  const all: readonly Code[] = Object.values(codes);
  const sorted = [...all].sort((a, b) => (a.code < b.code ? -1 : 1));
  for (const [i, { code }] of sorted.entries()) {
    if (sorted[i + 1]?.code === code) throw new Error(`code ${code} stands twice in the table`);
    if (!chapters.some(([prefix]) => code.startsWith(prefix))) throw new Error(`code ${code} has no chapter`);
  }
  return `${intro}\n${chapters.flatMap(([prefix, title]) => renderChapter(prefix, title, sorted)).join("\n")}`;
}

const intro = `# Diagnostics

<!-- Generated from src/diagnostics/codes.ts by \`npm run docs\`. Do not edit. -->

What Gatehouse says about a configuration, as \`FILE:LINE:COLUMN: SEVERITY CODE MESSAGE\`: on standard error by \`serve\`,
by \`gatehouse validate\`, and on the admin page \`/config\`. With any **error** nothing of the load is used and the last good
configuration stays in force; a **warning** changes nothing. A code never changes its meaning and is never used again.
`;

function renderChapter(prefix: string, title: string, all: readonly Code[]): string[] {
  const own = all.filter(({ code }) => code.startsWith(prefix));
  if (own.length === 0) return [];
  return [`## ${title}\n`, ...own.map(renderCode)];
}

function renderCode({ code, severity, title, help }: Code): string {
  return `### ${code}: ${title}\n\n*${severity}*. ${help}\n`;
}
