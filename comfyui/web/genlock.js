// A small notice in ComfyUI's page when Genlock has the receipt of a run, and a warning when an input is out of date.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

const NOTICE = "genlock.recorded";
const SHOWN_MS = 8000;

/** What a notice says: its heading, its lines, and how it is shown. */
function words(told) {
  const lines = [...told.warnings];
  if (told.state === "recorded") {
    const where = told.place ? `${told.place.project}/${told.place.scene}/${told.place.segment}` : "";
    return {
      severity: lines.length ? "warn" : "success",
      summary: `Receipt ${told.receipt_id}${where ? ` · ${where}` : ""}`,
      lines: lines.length ? lines : ["Genlock recorded this run."],
    };
  }
  if (told.state === "inbox") {
    const why = told.why ? [told.why] : [];
    return { severity: lines.length ? "warn" : "info", summary: "In Genlock's inbox", lines: [...why, ...lines] };
  }
  if (told.state === "repeated") {
    const receipt = told.receipt_id ? ` (receipt ${told.receipt_id})` : "";
    return { severity: "info", summary: "Nothing was generated", lines: [`ComfyUI answered from its cache${receipt}.`] };
  }
  return null;
}

let shown = null;

/** One notice at a time: the run before is in Genlock, and notices lie over the button that starts the next one. */
function show(told) {
  const said = words(told);
  if (said === null) return;
  const { toast } = app.extensionManager;
  if (shown !== null) toast.remove(shown);
  const detail = said.lines.join("\n");
  // A warning stays until the user closes it.
  const life = said.severity === "warn" ? undefined : SHOWN_MS;
  shown = { severity: said.severity, summary: `Genlock: ${said.summary}`, detail, life };
  toast.add(shown);
}

app.registerExtension({
  name: "genlock.notice",
  async setup() {
    api.addEventListener(NOTICE, (event) => show(event.detail));
  },
});
