import { writeFileSync } from "node:fs";
import { renderDiagnosticsPage } from "./diagnostics-page.js";

writeFileSync(new URL("../docs/diagnostics.md", import.meta.url), renderDiagnosticsPage());
