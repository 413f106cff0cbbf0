-- A role of my own: files documentation work when code lands without any.
-- Copy to ~/gt/lua/roles/librarian.lua.

local gt = require "gt"
local librarian = gt.role("librarian", { api = 1, scope = "rig", doc = "Files documentation work when code lands" })
local cfg = librarian.settings {
  public = gt.globs({ "src/**" }, "changes that readers of the docs would notice"),
  docs = gt.globs({ "docs/**", "README.md" }, "where documentation lives"),
  start = gt.flag(false, "sling the bead at once"),
}

librarian.on.mr_merged("file-docs", {
  when = function(e) return e.mr:touches(cfg.public) and not e.mr:touches(cfg.docs) and not e.bead:has("docs") end,
  act = function(e, town)
    local epic = e.bead.epic -- one documentation bead for each epic
    local open = epic and town.beads.find { label = "docs", status = "open", epic = epic }[1]
    if open then return gt.comment(open, "Changed again by {bead.id} in {commit}: {mr.paths}") end
    local bead = gt.create {
      title = "Document: {bead.title}",
      labels = { "docs" },
      priority = 3,
      epic = epic,
      found_in = e.bead,
      description = "{commit} changed {mr.paths} and no documentation.",
    }
    return cfg.start and { bead, gt.sling(bead) } or bead
  end,
})
