//! Pickles as Python wrote them, and as nobody should.

use pickle::{Fault, Id, Pickle, Value};

fn read(bytes: &[u8]) -> Pickle<'_> {
    Pickle::read(bytes, 0).unwrap()
}

fn entry(pickle: &Pickle, dict: Id, key: &str) -> Id {
    pickle.entry(dict, key).unwrap_or_else(|| panic!("no {key}"))
}

/// `OrderedDict(a=1, b=[2.5, None, True], c={'x': (1, 2)})`, by `pickle.dumps` of Python 3.
#[test]
fn python_3_is_read_in_its_protocols() {
    let second =
        b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(X\x01\x00\x00\x00aq\x02K\x01X\x01\x00\x00\x00bq\x03]q\x04(\
        G@\x04\x00\x00\x00\x00\x00\x00N\x88eX\x01\x00\x00\x00cq\x05}q\x06X\x01\x00\x00\x00xq\x07K\x01K\x02\x86q\x08su.";
    let fourth = b"\x80\x04\x95N\x00\x00\x00\x00\x00\x00\x00\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94(\
        \x8c\x01a\x94K\x01\x8c\x01b\x94]\x94(G@\x04\x00\x00\x00\x00\x00\x00N\x88e\x8c\x01c\x94}\x94\x8c\x01x\x94K\x01K\x02\
        \x86\x94su.";
    for bytes in [&second[..], fourth] {
        let pickle = read(bytes);
        let root = pickle.root();
        assert!(pickle.is_dict(root) && pickle.end() == bytes.len());
        let keys: Vec<_> = pickle.entries(root).map(|(key, _)| pickle.text(key).unwrap()).collect();
        assert_eq!(keys, ["a", "b", "c"]);
        assert_eq!(pickle.size(entry(&pickle, root, "a")), Some(1));
        let list: Vec<_> = pickle.items(entry(&pickle, root, "b")).iter().map(|&id| pickle.value(id)).collect();
        assert!(matches!(list[..], [Value::Inert, Value::None, Value::Bool(true)]), "{list:?}");
        let inner = entry(&pickle, root, "c");
        assert_eq!(pickle.sizes(entry(&pickle, inner, "x")), Some(vec![1, 2]));
    }
}

#[test]
fn python_2_wrote_an_ordered_dictionary_as_a_list_of_pairs() {
    let bytes = b"ccollections\nOrderedDict\n]](U\x01aK\x01ea](U\x01bK\x02ea\x85RU\x01aK\x03s.";
    let pickle = read(bytes);
    let found =
        pickle.entries(pickle.root()).map(|(key, value)| (pickle.text(key).unwrap(), pickle.size(value).unwrap()));
    assert_eq!(found.collect::<Vec<_>>(), [("a", 1), ("b", 2), ("a", 3)]);
    assert_eq!(pickle.size(entry(&pickle, pickle.root(), "a")), Some(3), "the last one written counts");
}

#[test]
fn a_call_is_written_down() {
    let pickle = read(b"cposix\nsystem\nU\x02ls\x85RK\x01aNb.");
    let Value::Call { function, arguments, state: Some(state), added } = pickle.value(pickle.root()) else {
        panic!("{pickle:?}")
    };
    assert_eq!(pickle.global(*function), Some(("posix", "system")));
    assert_eq!(pickle.text(pickle.items(*arguments)[0]), Some("ls"));
    assert!(matches!(pickle.value(*state), Value::None) && added.len() == 1);
    assert!(!pickle.is_dict(pickle.root()) && pickle.entries(pickle.root()).count() == 0);
}

#[test]
fn integers_have_many_spellings() {
    let spelled: [(&[u8], Option<i128>); 10] = [
        (b"K\xff.", Some(255)),
        (b"M\x00\x80.", Some(0x8000)),
        (b"J\xfe\xff\xff\xff.", Some(-2)),
        (b"\x8a\x00.", Some(0)),
        (b"\x8a\x01\x80.", Some(-128)),
        (b"\x8b\x02\x00\x00\x00\x00\x80.", Some(-0x8000)),
        (b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", Some(0x1950_a86a_20f9_469c_fc6c)),
        (b"I07\n.", Some(7)),
        (b"L-5L\n.", Some(-5)),
        (b"\x8a\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01.", None),
    ];
    for (bytes, expected) in spelled {
        let pickle = read(bytes);
        let found = if let Value::Int(value) = pickle.value(pickle.root()) { Some(*value) } else { None };
        assert_eq!(found, expected, "{bytes:?}");
    }
    assert_eq!(read(b"J\xfe\xff\xff\xff.").size(0), None, "nothing is counted by -2");
}

#[test]
fn one_pickle_follows_another() {
    let bytes = b"K\x01.K\x02.";
    let first = read(bytes);
    let second = Pickle::read(bytes, first.end()).unwrap();
    assert_eq!((second.size(second.root()), second.end()), (Some(2), 6));
    assert!(Pickle::read(bytes, 6).is_err() && Pickle::read(bytes, 7).is_err());
}

/// A value that holds itself, deeper nesting than any stack, and a name used again and again.
#[test]
fn nothing_recurses_and_nothing_is_copied() {
    let pickle = read(b"]q\x00h\x00a.");
    assert_eq!(pickle.items(pickle.root()), [pickle.root()]);
    let deep = [&b"N"[..], &b"\x85".repeat(1_000_000), b"."].concat();
    assert_eq!(read(&deep).values().len(), 1_000_001);
    let name = "n".repeat(100_000);
    let long =
        [&b"X\xa0\x86\x01\x00"[..], name.as_bytes(), b"q\x000", &b"h\x00h\x00\x930".repeat(50_000), b"N."].concat();
    assert_eq!(read(&long).global(1), Some((&name[..], &name[..])));
}

/// Python 3 writes half of a surrogate pair, as in a path of another encoding, in a way that is not UTF-8; Python 2 wrote
/// text and bytes alike.
#[test]
fn text_that_is_none_is_bytes() {
    for bytes in [&b"X\x03\x00\x00\x00\xed\xb3\xa9."[..], b"U\x03\xed\xb3\xa9.", b"C\x03\xed\xb3\xa9."] {
        let pickle = read(bytes);
        assert_eq!((pickle.text(0), pickle.bytes(0)), (None, Some(&b"\xed\xb3\xa9"[..])));
    }
    let pickle = read(b"}U\x01aC\x01bs.");
    let (key, value) = pickle.entries(0).next().unwrap();
    assert_eq!((pickle.text(key), pickle.bytes(key)), (Some("a"), Some(&b"a"[..])));
    assert_eq!((pickle.text(value), pickle.bytes(value)), (None, Some(&b"b"[..])));
}

#[test]
fn what_cannot_be_followed_is_said_with_its_place() {
    let met = |bytes: &[u8]| Pickle::read(bytes, 0).unwrap_err().to_string();
    assert_eq!(met(b""), "the pickle meets the end of the data at byte 0");
    assert_eq!(met(b"K"), "the pickle meets the end of the data at byte 1");
    assert_eq!(met(b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff"), "the pickle meets the end of the data at byte 9");
    assert_eq!(met(b"cposix\nsystem"), "the pickle meets the end of the data at byte 7");
    assert_eq!(met(b"N\xff"), "the pickle meets the unknown instruction 0xff at byte 1");
    assert_eq!(met(b"h\x05"), "the pickle meets an unset memo slot at byte 2");
    assert_eq!(met(b"c\xff\nname\n"), "the pickle meets a name that is not UTF-8 at byte 3");
    assert_eq!(met(b"}Na"), "the pickle meets a key without a value at byte 3");
    assert_eq!(met(b"(Nd"), "the pickle meets a key without a value at byte 3");
    assert_eq!(met(b"NN\x93"), "the pickle meets a class without a name at byte 3");
    for bytes in [&b"."[..], b"a", b"R", b"N\x86", b"2", b"q\x00", b"Q"] {
        assert!(met(bytes).contains("an empty stack"), "{bytes:?}");
    }
    for bytes in [&b"t"[..], b"1", b"NN(00t"] {
        assert!(met(bytes).contains("a missing mark"), "{bytes:?}");
    }
}

#[test]
fn no_honest_file_is_so_long() {
    for instructions in [&b"N0"[..], b"NN", b"((", b"\x94\x94"] {
        let fault = Pickle::read(&[b"N", &instructions.repeat(4_000_000)[..]].concat(), 0).unwrap_err();
        assert_eq!(fault, Fault::TooMany);
        assert_eq!(fault.to_string(), "the pickle has more than 8000000 instructions");
    }
}
