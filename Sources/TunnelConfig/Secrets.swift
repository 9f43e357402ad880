/// The shared secret of a tunnel. Never printed: every description is redacted.
package struct TunnelSecret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// 32 random bytes, as a new tunnel gets.
    package static func generate() -> TunnelSecret {
        var generator = SystemRandomNumberGenerator()
        return TunnelSecret((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    package var description: String { "(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }

    /// Takes the same time wherever the first difference is.
    package static func == (left: TunnelSecret, right: TunnelSecret) -> Bool {
        guard left.bytes.count == right.bytes.count else { return false }
        return zip(left.bytes, right.bytes).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// The account's API token out of cert.pem. Never printed.
package struct APIToken: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package let text: String

    package init(_ text: String) { self.text = text }

    package var description: String { "(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
