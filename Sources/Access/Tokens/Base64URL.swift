import FoundationEssentials

/// Base64 in the alphabet of URLs (RFC 4648 section 5).
package enum Base64URL {
    /// - Parameter isPadded: as in transfer keys; tokens go without.
    package static func encode(_ bytes: some Sequence<UInt8>, isPadded: Bool = false) -> String {
        var text = Data(bytes).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_")
        if !isPadded { while text.last == "=" { text.removeLast() } }
        return text
    }

    /// With or without padding. Nil for any other byte, and for spellings that are not the shortest of their value, so
    /// that one value has one text.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let bare = String(text.prefix { $0 != "=" })
        guard bare.utf8.allSatisfy(isDigit), bare.utf8.count % 4 != 1 else { return nil }
        let padding = (4 - bare.utf8.count % 4) % 4
        let padded = bare + String(repeating: "=", count: padding)
        guard text == bare || text == padded else { return nil }
        let standard = padded.replacing("-", with: "+").replacing("_", with: "/")
        guard let data = Data(base64Encoded: standard), encode(data) == bare else { return nil }
        return Array(data)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
