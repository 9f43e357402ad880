/// The secret of a tunnel. Whatever prints it prints no byte of it.
package struct TunnelSecret: Sendable {
    /// For the wire and for comparison with what is stored; never for a log.
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }
}

extension TunnelSecret: Equatable {
    /// Takes the same time wherever the first difference is, so that a caller who may try cannot feel its way.
    package static func == (left: TunnelSecret, right: TunnelSecret) -> Bool {
        guard left.bytes.count == right.bytes.count else { return false }
        var difference: UInt8 = 0
        for (first, second) in zip(left.bytes, right.bytes) {
            difference |= first ^ second
        }
        return difference == 0
    }
}

extension TunnelSecret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "<redacted>" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
