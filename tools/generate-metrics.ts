import { writeFileSync } from "node:fs";
import { renderMetricsPage } from "./metrics-page.js";

writeFileSync(new URL("../docs/metrics.md", import.meta.url), renderMetricsPage());
