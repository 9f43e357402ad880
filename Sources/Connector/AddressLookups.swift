/// How the lookups of the edge's addresses went. Decides when one more makes sense. A value.
struct AddressLookups {
    /// Between the end of one and the begin of the next. With the time of a lookup, what fails for want of a name service
    /// is back half a minute after that.
    static let pace = Backoff.Pace(floor: .seconds(1), start: .seconds(2), cap: .seconds(15))

    /// Asked for and not yet begun.
    private(set) var isWanted = false
    /// Why the last one found nothing.
    private(set) var failure: (any Error)?
    private var isIncomplete = true
    private var isFinal = false
    private var networkIsNew = false
    private var backoff = Backoff()

    /// - Parameter addressFailed: an address led nowhere; nil when there is none.
    /// - Returns: whether it is news that a lookup is wanted.
    mutating func request(addressFailed: Bool?) -> Bool {
        guard !isFinal, !isWanted, isIncomplete || networkIsNew || addressFailed == true else { return false }
        isWanted = true
        return true
    }

    mutating func networkChanged() { networkIsNew = true }

    mutating func began() {
        isWanted = false
        networkIsNew = false
    }

    mutating func ended(with found: EdgeAddresses) {
        failure = nil
        isIncomplete = found.missing != nil
        isFinal = found.isFinal
        // Whoever asked meanwhile has the answer, unless it is that of the network before.
        if isFinal || !isIncomplete && !networkIsNew { isWanted = false }
    }

    mutating func ended(with error: any Error) {
        failure = error
        isIncomplete = true
    }

    mutating func connectionWorked() { backoff.connectionLasted() }

    /// The wait before the next lookup.
    mutating func pause(using random: inout some RandomNumberGenerator) -> Duration {
        backoff.wait(Self.pace, using: &random)
    }
}
