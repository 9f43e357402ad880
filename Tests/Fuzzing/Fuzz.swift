import Foundation

/// Tries what `body` does with bytes from a seeded generator: `rounds` times in a plain run of the tests, and for
/// `CLOUDFLARED_FUZZ_SECONDS`, divided by the number of `parts` that a target has, where that is set.
package func fuzz(
    rounds: Int, seed: UInt64, parts: Int = 1, _ body: (inout SeededGenerator) async throws -> Void
) async rethrows {
    var generator = SeededGenerator(seed: seed)
    let seconds = ProcessInfo.processInfo.environment["CLOUDFLARED_FUZZ_SECONDS"].flatMap(Double.init)
    let end = seconds.map { ContinuousClock.now + .seconds($0 / Double(parts)) }
    var round = 0
    while end.map({ ContinuousClock.now < $0 }) ?? (round < rounds) {
        try await body(&generator)
        round += 1
    }
}
