/// The same numbers in every run (SplitMix64), so that a failing test fails again.
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension SeededGenerator {
    /// Text built from `pieces` and, now and then, from any scalar at all.
    package mutating func text(from pieces: [String], upTo count: Int) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0...count, using: &self) {
            if Int.random(in: 0..<8, using: &self) == 0 {
                text.unicodeScalars.append(Unicode.Scalar(UInt32.random(in: 0...0xD7FF, using: &self)) ?? " ")
            } else {
                text += pieces.randomElement(using: &self) ?? ""
            }
        }
        return text
    }

    /// `original` with up to six changes: bytes set, taken out, put in, doubled, cut off, or replaced by a piece of `dictionary`.
    package mutating func mutated(_ original: [UInt8], dictionary: [[UInt8]] = []) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int.random(in: 1...6, using: &self) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &self)
            switch Int.random(in: 0..<8, using: &self) {
            case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &self)
            case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &self)
            case 2: bytes.remove(at: place)
            case 3: bytes.insert(UInt8.random(in: 0x20...0x7e, using: &self), at: place)
            case 4: bytes.removeSubrange(place...)
            case 5: bytes.insert(contentsOf: bytes[place...].prefix(40), at: place)
            case 6:
                bytes[place] =
                    [0, 9, 10, 13, 0x22, 0x2c, 0x2e, 0x3a, 0x7f, 0x80, 0xff].randomElement(using: &self) ?? 0
            default:
                let piece = dictionary.randomElement(using: &self) ?? []
                bytes.replaceSubrange(place..<min(bytes.count, place + piece.count), with: piece)
            }
        }
        return bytes
    }

    package mutating func mutated(_ original: String, dictionary: [String] = []) -> String {
        String(decoding: mutated(Array(original.utf8), dictionary: dictionary.map { Array($0.utf8) }), as: UTF8.self)
    }
}
