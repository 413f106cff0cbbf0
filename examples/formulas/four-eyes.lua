-- Nothing that is labelled `risky` goes on before a second pair of eyes has seen it; what the step is about is said
-- by its metadata, `reviewer = "…"`.
--
-- Copy it to `.beads/formulas/four-eyes.lua`, and name it in a formula: [compose] aspects = ["four-eyes"]
local gt = require "gt"

return gt.aspect {
  api = 1,
  doc = "A plan before each risky step, a second reader after it",
  advise = function(step)
    if not step:has("risky") then return nil end
    local reviewer = step.metadata.reviewer or "somebody else"
    return {
      gt.before { id = "{id}-plan", title = "Write down how {id} is undone", labels = { "four-eyes" } },
      gt.after {
        id = "{id}-second-look",
        title = "Second look at {title}",
        description = "To be read by " .. reviewer .. ", who did not write it.",
        labels = { "four-eyes" },
      },
    }
  end,
}
