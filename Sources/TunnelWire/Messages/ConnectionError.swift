package import CapnProto

/// The edge refuses a registration.
package struct ConnectionError: Equatable, Sendable, Error {
    package var cause: String
    /// How long to wait before the next attempt.
    package var retryAfter: Duration
    package var shouldRetry: Bool

    package init(cause: String, retryAfter: Duration = .zero, shouldRetry: Bool) {
        self.cause = cause
        self.retryAfter = retryAfter
        self.shouldRetry = shouldRetry
    }

    /// This connector already has a connection with this index at the address that was dialled (section 7.1).
    package static let duplicateConnectionCause = "EDUPCONN"
}

extension ConnectionError: StructEncodable, StructDecodable {
    package static let structSize = StructSize(data: 2, pointers: 1)

    package init(from fields: StructReader) throws(CapnProtoError) {
        retryAfter = .nanoseconds(fields.integer(at: 0, as: Int64.self))
        shouldRetry = fields.bit(0, at: 8)
        cause = try fields.pointer(0).text()
    }

    package func encode(to fields: inout StructWriter) {
        fields.set(retryAfter.clampedNanoseconds, at: 0)
        fields.setBit(0, at: 8, to: shouldRetry)
        fields.setText(0, cause)
    }
}

extension Duration {
    /// Whole nanoseconds; what does not fit is cut to the nearest that does, about 292 years.
    fileprivate var clampedNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (nanoseconds, overflows) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, sumOverflows) = nanoseconds.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflows || sumOverflows ? (seconds < 0 ? .min : .max) : sum
    }
}
