---@meta gt.test
-- Tests of policies: roles/NAME_test.lua beside roles/NAME.lua, run by `gt policy test`. Tests of Lua aspects stand
-- beside them in the same way; they have `weave` and no town.

---@class gt.test
---@field case fun(name: string, f: fun(town: TestTown)) that of an aspect gets no town
---@field rule fun(role: string, rule: string): RuleTable
---@field equal fun(got: any, want: any)
---@field weave fun(steps: TestStep[]|string): Woven the aspect, woven into steps or into a formula of that name
local t = {}

---@class Woven                    the step graph with the advice in it
---@field ids fun(self: Woven): string[] all steps, in order
---@field added fun(self: Woven): string[] those that the aspect added
---@field step fun(self: Woven, id: string): TestStep
---@alias TestStep { id: string, title?: string, description?: string, type?: string, labels?: string[], needs?: string[], metadata?: table, only_if?: { touches: string[] } }

---@class TestTown                 a town in memory, the virtual clock, the real engine
---@field bead fun(self: TestTown, b?: TestBeadFacts): TestBead
---@field worker fun(self: TestTown, w: { name?: string, bead?: string|TestBead, silent?: boolean, state?: string, attached?: boolean }): TestWorker
---@field mr fun(self: TestTown, mr: TestMrFacts)
---@field branch fun(self: TestTown, b: { name: string, ahead?: integer, idle_for?: string, bead?: string|TestBead })
---@field wisp fun(self: TestTown, w?: { idle_for?: string }): TestBead
---@field scatter_ledger fun(self: TestTown) the ledger has many small files
---@field run fun(self: TestTown, d: string) rules and patrols that are due, on the virtual clock
---@field patrol fun(self: TestTown, name: string) one cycle of it now, whatever its schedule
---@field expect fun(self: TestTown, text: string) all that happened since the case began; `--accept` rewrites it
---@field tally fun(self: TestTown): table<string, integer>
---@field order fun(self: TestTown): string[] ids of the merge requests in policy order
---@field batch fun(self: TestTown): string[] ids of those that are built together
---@field ask fun(self: TestTown, question: "admit"|"on_conflict"|"on_failure"|"after_merge", id: string): string
---@class TestBead
---@field id string
---@class TestWorker
---@field commit fun(self: TestWorker, path: string)
---@field falls_silent fun(self: TestWorker)
---@field dies fun(self: TestWorker)
---@class RuleTable
---@field holds fun(self: RuleTable, facts: table): RuleTable
---@field fires fun(self: RuleTable, facts: table): RuleTable
---@alias TestBeadFacts { id?: string, title?: string, type?: string, status?: string, priority?: integer, labels?: string[], epic?: string, ready?: boolean, hooked?: boolean, held?: boolean, quarantined?: boolean, workers?: integer, convoy?: { active: boolean }, memory?: table }
---@alias TestMrFacts { id?: string, bead?: TestBeadFacts, waiting?: string, attempt?: integer, lines?: integer, paths?: string[], held?: boolean, gate?: string, target?: string }

return t
