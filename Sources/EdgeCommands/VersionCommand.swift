package import ArgumentParser
import ServiceHost

/// `version`: which release this is.
package struct VersionCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    @Flag(name: .shortAndLong, help: "Print the number alone.")
    package var short = false

    package init() {}

    package func run() throws {
        let build = BuildInfo.current
        try StandardOutput.write(
            line: short
                ? build.version
                : "cloudflared-edge version \(build.version) (built with \(build.compiler), \(build.architecture), "
                    + "\(build.kind))")
    }
}
