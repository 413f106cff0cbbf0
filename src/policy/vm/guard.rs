//! The sandbox: which libraries there are, how long a call may take, how much memory a VM may hold.
//!
//! Once a limit is passed the guard stays tripped: each further interrupt fails too, so no `pcall` gets past it,
//! and the VM is dropped.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use mlua::{Function, Lua, LuaOptions, StdLib, Table, Value, VmState};

use super::error::PolicyError;
use crate::policy::engine::Limits;

/// What the clock is asked at: each 64th interrupt. The trip is sticky, so sampling leaves no gap.
const SAMPLE: u32 = 64;

/// Globals that would reach out of the sandbox, print, or make an answer depend on anything but facts.
const REMOVED: [&str; 9] =
    ["loadstring", "getfenv", "setfenv", "newproxy", "collectgarbage", "gcinfo", "require", "print", "_VERSION"];

/// The limits of one VM.
#[derive(Debug)]
pub(super) struct Guard {
    start: Instant,
    /// Microseconds after `start`; 0 for none.
    deadline: AtomicU64,
    ticks: AtomicU32,
    tripped: AtomicBool,
    out_of_memory: AtomicBool,
    /// The file and line at which the time was over.
    stopped: OnceLock<(String, u32)>,
    limits: Limits,
}

impl Guard {
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            deadline: AtomicU64::new(0),
            ticks: AtomicU32::new(0),
            tripped: AtomicBool::new(false),
            out_of_memory: AtomicBool::new(false),
            stopped: OnceLock::new(),
            limits,
        })
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Starts the time of one call.
    pub fn arm(&self) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let until = self.limits.until.map_or(u64::MAX, |until| micros(until.saturating_duration_since(self.start)));
        let deadline = self.micros().saturating_add(micros(self.limits.time)).min(until);
        self.deadline.store(deadline.max(1), Relaxed);
    }

    pub fn disarm(&self) {
        self.deadline.store(0, Relaxed);
    }

    /// Why this VM must go, if it must.
    pub fn tripped(&self) -> Option<PolicyError> {
        if self.out_of_memory.load(Relaxed) {
            let mb = self.limits.memory >> 20;
            return Some(PolicyError::new(format!("it took more than {mb} MB of memory")));
        }
        let ms = self.limits.time.as_millis();
        self.tripped.load(Relaxed).then(|| PolicyError::new(format!("it took longer than {ms} ms")))
    }

    /// Where it was stopped, if that is in a policy file.
    pub fn stopped_at(&self) -> Option<&(String, u32)> {
        self.stopped.get()
    }

    pub fn trip_memory(&self) {
        self.out_of_memory.store(true, Relaxed);
    }

    fn over(&self) -> bool {
        if self.tripped.load(Relaxed) || self.out_of_memory.load(Relaxed) {
            return true;
        }
        if !self.ticks.fetch_add(1, Relaxed).is_multiple_of(SAMPLE) {
            return false;
        }
        let deadline = self.deadline.load(Relaxed);
        let over = deadline != 0 && self.micros() > deadline;
        if over {
            self.tripped.store(true, Relaxed);
        }
        over
    }
}

/// A VM with the safe libraries, before it is sealed.
pub(super) fn open(guard: &Arc<Guard>) -> mlua::Result<Lua> {
    let libs = StdLib::COROUTINE | StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::UTF8 | StdLib::BIT;
    let lua = Lua::new_with(libs, LuaOptions::new())?;
    lua.set_memory_limit(guard.limits.memory)?;
    let watch = Arc::clone(guard);
    lua.set_interrupt(move |lua| {
        if watch.over() {
            if watch.stopped.get().is_none()
                && let Some(place) = super::place(lua, 0)
            {
                let _ = watch.stopped.set(place);
            }
            Err(watch.tripped().unwrap_or_else(|| PolicyError::new("it overran")).into())
        } else {
            Ok(VmState::Continue)
        }
    });
    let globals = lua.globals();
    for name in REMOVED {
        globals.raw_set(name, Value::Nil)?;
    }
    let math: Table = globals.get("math")?;
    math.raw_set("random", Value::Nil)?;
    math.raw_set("randomseed", Value::Nil)?;
    watch_memory(&lua, guard)?;
    hide_addresses(&lua)?;
    Ok(lua)
}

/// As text a table or a function is its address, another one in each run: it is only what it is. A string with fields in
/// it (`{x}`) is `string.format` underneath.
fn hide_addresses(lua: &Lua) -> mlua::Result<()> {
    let wrap = lua.load(
        r##"
        local tostring_, format_, type_, unpack_ = tostring, string.format, type, table.unpack
        local plain = { ["nil"] = true, boolean = true, number = true, string = true }
        tostring = function(...)
          local text = tostring_(...)
          return plain[type_((...))] and text or (text:gsub(": 0x%x+$", ""))
        end
        string.format = function(...)
          local n, values = select("#", ...), { ... }
          for i = 2, n do
            if not plain[type_(values[i])] then values[i] = tostring(values[i]) end
          end
          return format_(unpack_(values, 1, n))
        end
        "##,
    );
    wrap.set_name("=sandbox").exec()
}

/// A script may catch "not enough memory" and go on in a VM that is no longer sound: whoever catches it trips.
fn watch_memory(lua: &Lua, guard: &Arc<Guard>) -> mlua::Result<()> {
    let watch = Arc::clone(guard);
    let trip = lua.create_function(move |_, ()| -> mlua::Result<()> {
        watch.trip_memory();
        Err(PolicyError::new("not enough memory").into())
    })?;
    let wrap: Function = lua
        .load(
            r#"
            local trip = ...
            local pcall_, xpcall_, resume_ = pcall, xpcall, coroutine.resume
            local function pass(ok, first, ...)
              if not ok and type(first) == "string" and first:find("not enough memory", 1, true) then trip() end
              return ok, first, ...
            end
            pcall = function(...) return pass(pcall_(...)) end
            xpcall = function(f, handler, ...)
              return xpcall_(f, function(e, ...) pass(false, e); return handler(e, ...) end, ...)
            end
            coroutine.resume = function(...) return pass(resume_(...)) end
            "#,
        )
        .set_name("=sandbox")
        .into_function()?;
    wrap.call(trip)
}

/// Makes everything read-only. What a file defines from here on, it must return or declare.
pub(super) fn seal(lua: &Lua) -> mlua::Result<()> {
    let unknown = lua.create_function(|_, (_, name): (Value, Value)| -> mlua::Result<()> {
        let name = name.to_string()?;
        let error = PolicyError::new(format!("there is no global `{name}`")).about(&name);
        Err(error.help(global_help(&name)).into())
    })?;
    let meta = lua.create_table()?;
    meta.raw_set("__index", unknown)?;
    meta.raw_set("__metatable", "the globals")?;
    lua.globals().set_metatable(Some(meta))?;
    lua.sandbox(true)?;
    lua.globals().set_readonly(true);
    Ok(())
}

/// What to do without a global that other Lua programs have.
pub(in crate::policy) fn global_help(name: &str) -> &'static str {
    match name {
        "os" | "io" | "debug" | "package" | "dofile" | "loadfile" | "load" | "loadstring" => {
            "a policy has no clock, files or processes: facts come in as arguments, town.now is the time"
        }
        "print" => "a policy prints nothing: reads and comparisons show in `gt why`",
        "gt" => "local gt = require \"gt\"",
        _ => "local x = … makes a name of your own",
    }
}
