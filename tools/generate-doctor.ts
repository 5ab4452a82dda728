import { writeFileSync } from "node:fs";
import { renderDoctorPage } from "./doctor-page.js";

writeFileSync(new URL("../docs/doctor.md", import.meta.url), renderDoctorPage());
