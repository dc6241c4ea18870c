//! AutoAttack's standard version in l-infinity, on the first test images of a data set: these crates as a library.
//!
//! ```sh
//! cargo run --release -p attacks --example autoattack                                  # a network that has learnt nothing
//! cargo run --release -p attacks --example autoattack -- WEIGHTS                       # trained on the embedded images
//! cargo run --release -p attacks --example autoattack -- WEIGHTS cifar10 DIR resnet20  # what the file does not say
//! ```
//!
//! `WEIGHTS` is a safetensors file of this workspace or a PyTorch state dict, `DIR` the folder with the data set.

use attacks::{Attack, AutoAttack, Ball, Keys, Norm, Victim};
use candle::{D, Device, Tensor};
use data::{Batch, Name};
use models::{Arch, Mode, Model, Net, checkpoint};
use objectives::{Pass, ce};
use std::{error::Error, path::Path};

/// How many images are attacked.
const IMAGES: usize = 32;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let [weights, dataset, dir, arch]: [Option<String>; 4] = std::array::from_fn(|_| arguments.next());
    let dataset: Name = dataset.as_deref().unwrap_or("synthetic").parse()?;
    let arch = arch.map(|name| name.parse::<Arch>()).transpose()?;

    // Pixels are in [0, 1]; the network normalises by itself, and the radius is in pixel units.
    let device = Device::Cpu;
    let test = data::load(dataset, dir.as_deref().map(Path::new), 0)?.test.first(IMAGES);
    let everyone: Vec<usize> = (0..test.len()).collect();
    let Batch { images, labels, examples } = test.batch(&everyone, &device)?;
    let net = match weights {
        Some(path) => checkpoint::open(Path::new(&path), arch, test.shape(), test.classes(), &device)?,
        None => Net::new(arch.unwrap_or(Arch::Tiny), test.shape(), test.classes(), 0, &device)?,
    };
    let [channels, ..] = test.shape();
    let ball = Ball { norm: Norm::Linf, eps: if channels == 1 { 0.3 } else { 8. / 255. } };

    // An attack sees the frozen view: its weights are constants. AutoAttack has objectives of its own and does not look
    // at the victim's.
    let (model, objective) = (net.frozen(), ce(Pass::Adv));
    let victim = Victim { model: &model, mode: Mode::Eval, objective: &objective };
    let attack = AutoAttack::named("autoattack", ball)?;
    println!("{} on {} images of {dataset}: {attack}", net.arch(), test.len());
    let adversarial = attack.perturb(victim, &images, &labels, &Keys { seed: 0, epoch: 0, examples: &examples })?;
    ball.check(&adversarial, &images)?;

    let (before, after) = (classes(&model, &images)?, classes(&model, &adversarial)?);
    let labels = labels.to_vec1::<u32>()?;
    let name = |class: u32| dataset.class_names()[class as usize];
    for (i, &label) in labels.iter().enumerate() {
        let verdict = match (before[i], after[i]) {
            (class, _) if class != label => format!("wrong without an attack: {}", name(class)),
            (_, class) if class != label => format!("broken: {}", name(class)),
            _ => "stands".to_owned(),
        };
        println!("{i:4}  {:20}{verdict}", name(label));
    }
    let right = |said: &[u32]| said.iter().zip(&labels).filter(|(said, label)| said == label).count();
    let percent = |count: usize| 100. * count as f64 / labels.len() as f64;
    println!("clean accuracy {:.1} %, robust accuracy {:.1} %", percent(right(&before)), percent(right(&after)));
    Ok(())
}

/// What the network says of each image.
fn classes(model: &dyn Model, images: &Tensor) -> candle::Result<Vec<u32>> {
    model.forward(images, Mode::Eval)?.logits.argmax(D::Minus1)?.to_vec1()
}
