import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { renderDoctorPage } from "../../../tools/doctor-page.js";

test("the page of the doctor is what its codes and fixes say", () => {
  const page = readFileSync(new URL("../../../docs/doctor.md", import.meta.url), "utf8");
  expect(page).toBe(renderDoctorPage());
});
