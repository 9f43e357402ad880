import CloudflaredCommands
import Glibc

@main
enum Program {
    static func main() async {
        exit(await CloudflaredProgram().run(Array(CommandLine.arguments.dropFirst())))
    }
}
