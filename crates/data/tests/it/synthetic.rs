//! The embedded set through the public door.

use data::{Name, load};

#[test]
fn it_needs_no_files_and_follows_its_seed() {
    let (a, b) = (load(Name::Synthetic, None, 1).unwrap(), load(Name::Synthetic, None, 2).unwrap());
    assert_eq!(a.train.shape(), [3, 32, 32]);
    assert_eq!(a.train.classes(), 10);
    assert_ne!(a.train.sha256(), b.train.sha256());
    assert_ne!(a.test.sha256(), b.test.sha256());
    assert_ne!(a.train.first(100).sha256(), a.test.first(100).sha256());
}

#[test]
fn few_pixels_are_clipped() {
    let set = load(Name::Synthetic, None, 0).unwrap().train;
    let clipped = (0..set.len()).flat_map(|i| set.pixels(i)).filter(|&&p| p == 0 || p == 255).count();
    let share = clipped as f64 / (set.len() * 3072) as f64;
    assert!(share < 0.05, "{share}");
}
