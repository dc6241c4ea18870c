//! Which process on which machine, and whether it still runs.

use crate::provenance::sha256;
use serde::{Deserialize, Serialize};
use std::fs;

/// A process, told from every other one, also from a later one that got its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// The machine's name, for people.
    pub(crate) host: String,
    /// What tells this machine, as booted now, from others that may share its name.
    machine: String,
    pub(crate) pid: u32,
    /// When it started, as the machine counts.
    started: u64,
}

impl Process {
    /// This one.
    pub(crate) fn this() -> Self {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
        let host = host.map_or_else(|_| "this machine".to_owned(), |name| name.trim().to_owned());
        let pid = std::process::id();
        Self { host, machine: machine(), pid, started: started(pid).unwrap_or(0) }
    }

    /// Whether it runs; `None` where this machine cannot know.
    pub(crate) fn runs(&self) -> Option<bool> {
        let here = machine();
        (!here.is_empty() && here == self.machine).then(|| started(self.pid) == Some(self.started))
    }
}

/// The boot and the numbering of processes: containers of one machine number theirs apart. Empty where the
/// system does not tell.
fn machine() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let numbering = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let parts = [boot.trim().to_owned(), numbering.display().to_string()];
    if parts.iter().any(String::is_empty) { String::new() } else { parts.join(" ") }
}

/// Whether this machine tells who runs on it.
pub(crate) fn tells() -> bool {
    !machine().is_empty()
}

/// The machine in eight characters.
pub(crate) fn tag() -> String {
    sha256(machine().as_bytes())[..8].to_owned()
}

/// When the process of that number started; `None` if there is none, or only its corpse.
pub(crate) fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name, in brackets, may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") { None } else { fields.get(19)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_number_is_another_process() {
        let this = Process::this();
        assert_eq!(this.runs(), Some(true));
        let earlier = Process { started: this.started.wrapping_sub(1), ..this.clone() };
        assert_eq!(earlier.runs(), Some(false));
        let elsewhere = Process { machine: "another".into(), ..this };
        assert_eq!(elsewhere.runs(), None);
    }
}
