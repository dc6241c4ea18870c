//! `run.json`, and what a program makes of the configuration in it.
#![no_main]

use experiments::run::Record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(record) = serde_json::from_slice::<Record>(bytes) else { return };
    let config = &record.config;
    let _ = (config.id(), config.ball(), config.i2fr(), config.game(), config.schedule());
    // What is read is written again when a run goes on, and must be the same then.
    let again = serde_json::to_vec(&record).expect("a record is plain data");
    let again: Record = serde_json::from_slice(&again).expect("what was written can be read");
    assert_eq!(again.config, record.config);
});
