-- A look at the documentation after each step that changes what users see.
--
-- It holds nobody up: who needs the step goes on, and the check is done beside it.
local gt = require "gt"

return gt.aspect {
  api = 1,
  doc = "Documentation is looked at where commands, settings or public names change",
  advise = function(step)
    local code = step.type == "task" or step.type == "feature" or step.type == "bug"
    if not code or step:has("docs") or step:has("security") or step:has("no-code") then return nil end
    return gt.after {
      id = "docs-check",
      title = "Documentation of {title}",
      description = "Compare what changed in {id} with README, docs and help texts. Mend what is no longer true.",
      labels = { "docs" },
      gates = false,
      only_if = { touches = { "src/cli/**", "**/cli/**", "**/public/**", "**/api/**" } },
    }
  end,
}
