local t = require "gt.test"

t.case("what guards the door is reviewed in any case, other work if it touches it", function()
  local graph = t.weave { { id = "login", labels = { "auth" } }, { id = "menu" }, { id = "ship", needs = { "login" } } }
  local sure, maybe = graph:step "security-review-login", graph:step "security-review-menu"
  t.equal(sure.title, "Security review of login")
  t.equal(sure.labels, { "security" })
  t.equal(sure.only_if, nil)
  t.equal(maybe.only_if.touches[1], "**/auth/**")
end)

t.case("nobody goes on before the review is done", function()
  local graph = t.weave { { id = "login" }, { id = "ship", needs = { "login" }, labels = { "no-code" } } }
  t.equal(graph:step("security-review-login").needs, { "login" })
  t.equal(graph:step("ship").needs, { "login", "security-review-login" })
end)

t.case("reviews, and what writes no code, are left alone", function()
  local graph = t.weave {
    { id = "audit", labels = { "security" } },
    { id = "announce", labels = { "no-code" } },
    { id = "release", type = "chore" },
  }
  t.equal(graph:added(), {})
end)
