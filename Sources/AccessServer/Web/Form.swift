/// The fields of a query or of a form's body.
struct Form {
    private static let mostFields = 64

    private var values: [String: String] = [:]
    private var repeated: Set<String> = []

    /// From `a=b&c=d`. Nil for what is not well formed, or has more fields than is decent.
    init?(_ text: some StringProtocol) {
        let fields = text.split(separator: "&")
        guard fields.count <= Self.mostFields else { return nil }
        for field in fields {
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(parts[0]), let value = Self.decoded(parts.count > 1 ? parts[1] : "") else {
                return nil
            }
            if values.updateValue(value, forKey: name) != nil { repeated.insert(name) }
        }
    }

    /// Nil when it is absent or there is more than one: nobody can say which was meant.
    subscript(name: String) -> String? { repeated.contains(name) ? nil : values[name] }

    private static func decoded(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
    }

    /// For one value in a query or a path.
    static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                String(Unicode.Scalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }

    /// `a=b&c=d`, in the given order.
    static func query(_ fields: KeyValuePairs<String, String>) -> String {
        fields.map { "\(encoded($0.key))=\(encoded($0.value))" }.joined(separator: "&")
    }
}
