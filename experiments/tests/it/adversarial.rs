//! Adversarial examples as files: what they hold is what the verdicts were on.

use crate::{
    program::{bytes, run, text},
    stages::subject,
};
use candle::{DType, Device, Tensor};
use data::Name;
use models::checkpoint;
use std::{collections::BTreeMap, path::Path};

fn saved(path: &Path) -> (BTreeMap<String, Tensor>, BTreeMap<String, String>) {
    (checkpoint::read(path).unwrap(), checkpoint::metadata(path).unwrap())
}

fn numbers(tensor: &Tensor) -> Vec<u32> {
    tensor.to_dtype(DType::U32).unwrap().to_vec1().unwrap()
}

#[test]
fn they_are_in_the_ball_and_break_what_the_verdicts_say() {
    let (out, arguments) = subject();
    let place = out.path().join("evaluation");
    let mut asked: Vec<&str> = arguments.iter().map(String::as_str).collect();
    asked.extend(["--attack", "pgd-5,autoattack", "--examples", "30"]);
    run("evaluate", &asked, &place);
    // Verdicts are known by now.
    let printed = run("evaluate", &[&asked[..], &["--save-examples"]].concat(), &place);
    let examples = text(&place.join("examples.csv"));
    let names: Vec<&str> = examples.lines().next().unwrap().split(',').collect();
    let column = |name: &str| -> Vec<u32> {
        let at = names.iter().position(|known| *known == name).unwrap();
        examples.lines().skip(1).map(|line| line.split(',').nth(at).unwrap().parse().unwrap()).collect()
    };
    let test = data::load(Name::Synthetic, None, 0).unwrap().test;
    let clean = test.batch(&(0..30).collect::<Vec<_>>(), &Device::Cpu).unwrap().images;
    for attack in ["pgd-5", "autoattack"] {
        let path = place.join(format!("adversarial-{attack}.safetensors"));
        assert!(printed.contains(&format!("wrote {}", path.display())), "{printed}");
        let (tensors, said) = saved(&path);
        assert_eq!([&said["attack"], &said["epsilon"], &said["dataset"]], [attack, "4/255", "synthetic"]);
        let images = &tensors["images"];
        assert_eq!(images.dims(), clean.dims());
        let ball = attacks::Ball::grey_levels(4.);
        ball.check(images, &clean).unwrap();
        let (labels, standing) = (numbers(&tensors["labels"]), numbers(&tensors["standing"]));
        assert_eq!((numbers(&tensors["index"]), &labels), (column("index"), &column("label")));
        assert_eq!(standing, column(attack));
        let right =
            numbers(&tensors["predictions"]).into_iter().zip(&labels).map(|(said, label)| u32::from(said == *label));
        assert_eq!(right.collect::<Vec<_>>(), standing, "{attack}");
        // Broken by the attack are changed, others are as they were.
        let moved = (images - &clean).unwrap().abs().unwrap().flatten_from(1).unwrap().max(1).unwrap();
        let moved = moved.to_vec1::<f32>().unwrap();
        let clean_right = column("clean_correct");
        let mut broken = 0;
        for ((moved, standing), right) in moved.into_iter().zip(standing).zip(clean_right) {
            assert_eq!(moved > 0., right == 1 && standing == 0, "{attack}");
            broken += u32::from(right == 1 && standing == 0);
        }
        assert!(broken > 0, "{attack} breaks nothing");
    }
    // Square breaks images, too, that AutoAttack asks it nothing about.
    let path = place.join("adversarial-autoattack.safetensors");
    let before = bytes(&path);
    let mut more: Vec<&str> = arguments.iter().map(String::as_str).collect();
    more.extend(["--attack", "square,autoattack", "--examples", "30", "--save-examples"]);
    run("evaluate", &more, &place);
    assert!(bytes(&path) == before, "images of another stage");
}
