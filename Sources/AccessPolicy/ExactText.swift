/// A text that is compared byte by byte.
///
/// `String` holds two spellings of an accent to be equal, and its lower case maps foreign letters to ASCII ones (the
/// Kelvin sign becomes `k`); with names that admit people, both would let the wrong one in.
package struct ExactText: Hashable, Sendable, CustomStringConvertible {
    private let bytes: [UInt8]

    package init(_ text: some StringProtocol) { bytes = Array(text.utf8) }

    /// With ASCII letters in lower case, and only those.
    package init(folding text: some StringProtocol) { bytes = text.utf8.map(foldedASCII) }

    package var description: String { String(decoding: bytes, as: UTF8.self) }
}

/// The lower case of an ASCII letter; any other byte unchanged.
func foldedASCII(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
}
