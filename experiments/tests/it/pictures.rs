//! Pictures of networks at work, and Figure 4, which is made of them.

use crate::program::{Noise, TINY, bytes, only_run, run};

#[test]
fn pictures_that_were_not_kept_are_drawn_again_from_the_weights() {
    let noise = Noise::new();
    let out = tempfile::tempdir().unwrap();
    let common = [&TINY[..], &noise.arguments(), &["--only", "=pgd-at"]].concat();
    let missing = "Without pictures, since none were kept: PGD-AT.";
    let shown = run("figure4", &common, out.path());
    assert!(!shown.contains(missing) && shown.contains("Classes: 0 airplane, 1 automobile, "), "{shown}");
    let folder = only_run(out.path());
    let files = [folder.join("examples.png"), folder.join("features.png"), out.path().join("figure4.png")];
    let drawn = files.each_ref().map(|file| bytes(file));
    let remove = || files.iter().for_each(|file| std::fs::remove_file(file).unwrap_or_default());
    remove();
    let rendered = run("figure4", &[&common[..], &["--render-only"]].concat(), out.path());
    assert!(rendered.contains(missing) && files.iter().all(|file| !file.exists()), "{rendered}");
    assert_eq!(run("figure4", &common, out.path()), shown);
    assert!(files.each_ref().map(|file| bytes(file)) == drawn);
    // One of two pictures is not enough.
    std::fs::remove_file(&files[1]).unwrap();
    assert_eq!(run("figure4", &common, out.path()), shown);
    assert!(files.each_ref().map(|file| bytes(file)) == drawn);
    remove();
    std::fs::remove_file(folder.join("best.safetensors")).unwrap();
    assert!(run("figure4", &common, out.path()).contains(missing));
}
