//! Natural training, the undefended control.

use crate::Framework;
use attacks::Identity;
use models::{Head, Mode};
use objectives::{Pass, ce};
use std::sync::Arc;

/// Cross-entropy on clean images; nothing is attacked.
pub fn standard() -> Framework {
    Framework {
        name: "Standard".into(),
        attack: Arc::new(Identity),
        attack_mode: Mode::Eval,
        clean_mode: Mode::Train,
        inner: ce(Pass::Adv),
        outer: ce(Pass::Clean),
        head: Head::Linear,
        awp: None,
        label_smoothing: 0.,
    }
}
