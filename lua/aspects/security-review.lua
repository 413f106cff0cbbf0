-- A security review after each task that touches what guards the door.
--
-- Steps labelled `auth` are reviewed in any case; of the others the change decides when the review comes up: where
-- nothing of the kind was touched, it is closed as skipped. Steps labelled `no-code` are left alone.
local gt = require "gt"

local guards = { "**/auth/**", "**/auth*", "**/session*", "**/login*", "**/crypto/**", "**/secrets/**" }

return gt.aspect {
  api = 1,
  doc = "A security review after each step that may touch authentication",
  advise = function(step)
    if step.type ~= "task" or step:has("no-code") or step:has("security") then return nil end
    return gt.after {
      id = "security-review",
      title = "Security review of {title}",
      description = "Read the diff of {id}. Look for: input that is trusted, checks that can be passed by, secrets in "
        .. "logs, and what an attacker gains. File each finding as a bead that blocks this one; close it when none is open.",
      labels = { "security" },
      only_if = not step:has("auth") and { touches = guards },
    }
  end,
}
