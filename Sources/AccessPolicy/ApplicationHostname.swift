/// The hosts of an application: a name, or a pattern in which `*` stands for any text inside one label, as Access has it:
/// `*.example.com` is one level deep, `*-test.example.com` meets `a-test.example.com`.
///
/// ASCII only: whoever takes a name from a person converts it first.
package struct ApplicationHostname: Hashable, Sendable, CustomStringConvertible {
    /// Lower case, without a final dot.
    package let text: String
    private let labels: [Label]

    private struct Label: Hashable, Sendable {
        var head: String
        /// Nil: the whole label is `head`.
        var tail: String?

        func matches(_ label: some StringProtocol) -> Bool {
            guard let tail else { return label == head }
            return label.utf8.count >= head.utf8.count + tail.utf8.count && label.hasPrefix(head)
                && label.hasSuffix(tail)
        }
    }

    /// Nil for what is not a host name: empty, with port, path or space, non-ASCII, two `*` in a label, or only `*`.
    package init?(_ text: String) {
        var name = text.lowercased()
        if name.utf8.last == UInt8(ascii: ".") { name.removeLast() }
        guard !name.isEmpty, name != "*", name.utf8.count <= 253 else { return nil }
        var labels: [Label] = []
        for label in name.split(separator: ".", omittingEmptySubsequences: false) {
            guard !label.isEmpty, label.utf8.count <= 63, label.utf8.allSatisfy(Self.isAllowed) else { return nil }
            let parts = label.split(separator: "*", omittingEmptySubsequences: false)
            switch parts.count {
            case 1: labels.append(Label(head: String(label)))
            case 2: labels.append(Label(head: String(parts[0]), tail: String(parts[1])))
            default: return nil
            }
        }
        self.text = name
        self.labels = labels
    }

    package var description: String { text }

    package var isWildcard: Bool { labels.contains { $0.tail != nil } }

    /// How many characters a host must share with the pattern: the longer, the more particular.
    var literalLength: Int { text.utf8.count { $0 != UInt8(ascii: "*") } }

    /// `host` in lower case, without port, brackets and final dot, as a `CanonicalHost` has it.
    func matches(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == labels.count else { return false }
        return zip(labels, parts).allSatisfy { $0.matches($1) && !$1.isEmpty }
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "_"), UInt8(ascii: "*"):
            true
        default: false
        }
    }
}
