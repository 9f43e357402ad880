import Fuzzing
import Testing

@testable import TunnelConfig

struct GoDurationTests {
    @Test(arguments: [
        ("0", Duration.zero), ("+0", .zero), ("0s", .zero), ("30s", .seconds(30)), ("1m30s", .seconds(90)),
        ("1.5h", .seconds(5400)), ("300ms", .milliseconds(300)), ("1us", .microseconds(1)), ("1µs", .microseconds(1)),
        ("1μs", .microseconds(1)), ("7ns", .nanoseconds(7)), ("-1.5s", .milliseconds(-1500)),
        (".5s", .milliseconds(500)),
        ("5.s", .seconds(5)), ("1h15m30.918s", .milliseconds(4_530_918)), ("0.3333333333333333333h", .seconds(1200)),
        ("2562047h47m16.854775807s", .nanoseconds(Int64.max)),
    ])
    func `reads what Go reads`(text: String, expected: Duration) throws {
        let read = try GoDuration.parse(text)
        // Go computes fractions of an hour in floating point as well.
        #expect(abs((read - expected) / .nanoseconds(1)) <= 1)
    }

    @Test(arguments: [
        "", "-", "+", "30", "1.5", "s", ".s", ".", "1x", "1d", "1 s", " 1s", "1s ", "1s2", "--1s", "1..5s",
        "9223372037s",
        "99999999999999999999h", "1m1", "٣s", "0x10s",
    ])
    func `refuses what Go refuses`(text: String) {
        #expect(throws: ConfigError.self) { try GoDuration.parse(text) }
    }

    @Test func `a number without a unit is told how to get one`() {
        #expect(configError { _ = try GoDuration.parse("30") }?.description.contains("30s") == true)
    }

    @Test(arguments: [
        ("0s", "0s"), ("1500ms", "1.5s"), ("90s", "1m30s"), ("3600s", "1h0m0s"), ("250ms", "250ms"),
        ("1500us", "1.5ms"),
        ("7ns", "7ns"), ("-90s", "-1m30s"), ("2500ns", "2.5µs"),
    ])
    func `prints as Go prints`(text: String, expected: String) throws {
        #expect(GoDuration.format(try GoDuration.parse(text)) == expected)
    }

    @Test func `what it prints it reads back`() throws {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<2_000 {
            let duration = Duration.nanoseconds(
                Int64.random(in: -1_000_000_000_000_000...1_000_000_000_000_000, using: &random))
            let read = try GoDuration.parse(GoDuration.format(duration))
            #expect(abs((read - duration) / .nanoseconds(1)) <= 1)
        }
    }
}
