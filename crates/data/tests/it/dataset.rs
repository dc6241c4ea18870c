//! Subsets, orders and batches.

use std::collections::HashSet;

use candle::{DType, Device};
use data::{Augment, Dataset, Error, Name};

/// `n` grey images whose pixels depend on the example and the place, with labels `i % classes`.
fn mnist(n: usize, classes: usize) -> Dataset {
    let pixels = (0..n * 784).map(|i| (i % 784 * 7 + i / 784 * 31) as u8).collect();
    Dataset::new(Name::Mnist, pixels, (0..n).map(|i| (i % classes) as u8).collect()).unwrap()
}

fn images(batch: &data::Batch) -> Vec<Vec<f32>> {
    batch.images.flatten_from(1).unwrap().to_vec2().unwrap()
}

#[test]
fn a_batch_is_float_in_zero_to_one_with_its_labels() {
    let set = mnist(5, 3);
    let batch = set.batch(&[4, 1], &Device::Cpu).unwrap();
    assert_eq!(batch.images.dims(), [2, 1, 28, 28]);
    assert_eq!((batch.images.dtype(), batch.labels.dtype()), (DType::F32, DType::U32));
    assert_eq!(batch.labels.to_vec1::<u32>().unwrap(), [1, 1]);
    assert_eq!(batch.examples, [4, 1]);
    let expected: Vec<f32> = set.pixels(4).iter().map(|&p| f32::from(p) / 255.0).collect();
    assert_eq!(images(&batch)[0], expected);
}

#[test]
fn batches_cover_everything_in_order() {
    let set = mnist(7, 3);
    let batches: Vec<_> = set.batches(3, &Device::Cpu).map(Result::unwrap).collect();
    let examples: Vec<_> = batches.iter().map(|b| b.examples.clone()).collect();
    assert_eq!(examples, [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
    assert_eq!(batches[2].images.dims(), [1, 1, 28, 28]);
}

#[test]
fn a_position_beyond_the_end_is_an_error() {
    let error = mnist(3, 3).batch(&[0, 3], &Device::Cpu).unwrap_err();
    assert_eq!(error.to_string(), "mnist: position 3 is beyond the 3 examples of this split");
}

#[test]
fn what_does_not_fit_together_is_no_dataset() {
    assert!(matches!(Dataset::new(Name::Mnist, vec![], vec![]), Err(Error::Mismatch { .. })));
    assert!(matches!(Dataset::new(Name::Mnist, vec![0; 783], vec![0]), Err(Error::Mismatch { .. })));
    assert!(matches!(Dataset::new(Name::Mnist, vec![0; 784], vec![10]), Err(Error::Mismatch { .. })));
}

#[test]
fn a_subset_keeps_the_original_positions() {
    let set = mnist(10, 10).select(&[7, 3, 5]);
    assert_eq!((set.len(), set.labels()), (3, vec![7, 3, 5]));
    assert_eq!(set.first(2).index(1), 3);
    assert_eq!(set.first(99).len(), 3);
    assert_eq!(set.select(&[2]).batch(&[0], &Device::Cpu).unwrap().examples, [5]);
}

#[test]
fn an_epoch_is_a_permutation_that_depends_on_seed_and_epoch() {
    let set = mnist(100, 10);
    let flat = |seed, epoch| set.epoch(seed, epoch, 16).concat();
    let order = flat(1, 1);
    assert_eq!(order.iter().collect::<HashSet<_>>().len(), 100);
    assert_ne!(order, (0..100).collect::<Vec<_>>());
    assert_eq!(order, flat(1, 1));
    assert_ne!(order, flat(1, 2));
    assert_ne!(order, flat(2, 1));
    let sizes: Vec<_> = set.epoch(1, 1, 16).iter().map(Vec::len).collect();
    assert_eq!(sizes, [16, 16, 16, 16, 16, 16, 4]);
}

#[test]
fn a_last_batch_of_one_is_left_out() {
    let sizes = |n, size| mnist(n, 3).epoch(0, 0, size).iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes(9, 4), [4, 4]);
    assert_eq!(sizes(10, 4), [4, 4, 2]);
    assert_eq!(sizes(3, 1), [1, 1, 1]);
    assert_eq!(sizes(2, 0), [1, 1]);
}

#[test]
fn held_out_examples_are_disjoint_balanced_and_seeded() {
    let set = mnist(500, 10);
    let (train, held) = set.hold_out(103, 7).unwrap();
    assert_eq!((train.len(), held.len()), (397, 103));
    let positions = |set: &Dataset| (0..set.len()).map(|i| set.index(i)).collect::<Vec<_>>();
    let (a, b) = (positions(&train), positions(&held));
    assert_eq!(a.iter().chain(&b).collect::<HashSet<_>>().len(), 500);
    assert!(a.is_sorted() && b.is_sorted());
    for class in 0..10 {
        let n = held.labels().iter().filter(|&&label| label == class).count();
        assert!((10..=11).contains(&n), "class {class}: {n}");
    }
    assert_eq!(b, positions(&set.hold_out(103, 7).unwrap().1));
    assert_ne!(b, positions(&set.hold_out(103, 8).unwrap().1));
}

#[test]
fn a_rare_class_gives_what_it_has() {
    let mut labels = vec![0; 50];
    labels[7] = 1;
    let set = Dataset::new(Name::Mnist, vec![0; 50 * 784], labels).unwrap();
    let (train, held) = set.hold_out(10, 0).unwrap();
    assert_eq!(held.labels().iter().sum::<u32>(), 1);
    assert_eq!((train.len(), held.len()), (40, 10));
    assert_eq!(set.hold_out(0, 0).unwrap().0.len(), 50);
    let error = set.hold_out(50, 0).unwrap_err().to_string();
    assert_eq!(error, "mnist: cannot hold out 50 of 50 examples; at least one must remain for training");
}

#[test]
fn augmentation_depends_on_the_example_and_not_on_its_batch() {
    let set = mnist(64, 10);
    let draw = |set: &Dataset, positions: &[usize], epoch| {
        images(&set.augmented(positions, Augment::CIFAR, 5, epoch, &Device::Cpu).unwrap())
    };
    let together = draw(&set, &(0..64).collect::<Vec<_>>(), 2);
    for (i, image) in together.iter().enumerate() {
        assert_eq!(&draw(&set, &[i], 2)[0], image);
    }
    assert_eq!(draw(&set, &[9, 3, 60], 2), [9, 3, 60].map(|i| together[i].clone()));
    assert_eq!(draw(&set.select(&[30, 9]), &[1], 2)[0], together[9]);
    assert_ne!(draw(&set, &(0..64).collect::<Vec<_>>(), 3), together);
}

#[test]
fn every_augmented_image_is_a_shifted_and_perhaps_mirrored_original() {
    let set = mnist(30, 10);
    let positions: Vec<usize> = (0..30).collect();
    let batch = set.augmented(&positions, Augment::CIFAR, 0, 0, &Device::Cpu).unwrap();
    let mut seen = HashSet::new();
    for (i, image) in images(&batch).into_iter().enumerate() {
        let pixel = |y: i32, x: i32| {
            let inside = (0..28).contains(&y) && (0..28).contains(&x);
            if inside { f32::from(set.pixels(i)[(y * 28 + x) as usize]) / 255.0 } else { 0.0 }
        };
        let views = (-4..=4).flat_map(|dy| (-4..=4).flat_map(move |dx| [(dy, dx, false), (dy, dx, true)]));
        let found: Vec<_> = views
            .filter(|&(dy, dx, mirrored)| {
                (0..784).all(|j| {
                    let (y, x) = (j / 28, j % 28);
                    let x = if mirrored { 27 - x } else { x };
                    image[j as usize] == pixel(y + dy, x + dx)
                })
            })
            .collect();
        assert_eq!(found.len(), 1, "example {i}");
        seen.insert(found[0]);
    }
    assert!(seen.len() > 20);
}

#[test]
fn without_augmentation_the_batch_is_unchanged() {
    let set = mnist(8, 4);
    let plain = set.augmented(&[1, 2], Augment::NONE, 9, 9, &Device::Cpu).unwrap();
    assert_eq!(images(&plain), images(&set.batch(&[1, 2], &Device::Cpu).unwrap()));
}

#[test]
fn the_hash_depends_on_pixels_labels_and_order() {
    let set = mnist(4, 2);
    let hashes = [set.sha256(), set.first(3).sha256(), set.select(&[1, 0, 2, 3]).sha256(), mnist(4, 3).sha256()];
    assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), 4);
    assert_eq!(hashes[0], mnist(4, 2).sha256());
    assert_eq!(hashes[0].len(), 64);
}

#[test]
fn dealt_images_keep_their_numbers_and_any_first_part_has_all_classes_alike() {
    let labels = [2, 2, 2, 2, 0, 0, 1];
    let set = Dataset::new(Name::Mnist, vec![0; 28 * 28 * labels.len()], labels.to_vec()).unwrap();
    let dealt = set.dealt();
    assert_eq!(dealt.labels(), [0, 1, 2, 0, 2, 2, 2]);
    assert_eq!((0..7).map(|i| dealt.index(i)).collect::<Vec<_>>(), [4, 6, 0, 5, 1, 2, 3]);
    assert_eq!(dealt.dealt().labels(), dealt.labels());
}
